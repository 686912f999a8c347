"""Who vouches for a release: a signature over what its commit says, kept in the tag's own message.

Signed are the files of git that make a release what it is; reports/manifest.json among them names
every output by path, size and SHA-256. The signature is a Sigstore bundle made by model-signing
(https://github.com/sigstore/model-transparency), with a team's key or keyless by OpenID Connect.
"""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.chain.commits import git
from pipeline.chain.lock import lockfile
from pipeline.common import files
from pipeline.common.errors import GraftError

SIGNED = ("dvc.lock", "dvc.yaml", "models.lock", "params.yaml", "reports/manifest.json", "requirements.lock")
SIGNERS = "signers"  # NAME.pub: a public key in PEM; NAME.identity: keyless, an identity and its issuer on two lines
KEYLESS = "keyless"
PASSPHRASE = "GRAFT_SIGNING_PASSPHRASE"  # noqa: S105 - the name of a variable
BEGIN, END = "-----BEGIN GRAFT SIGNATURE-----", "-----END GRAFT SIGNATURE-----"


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """What a signature speaks of."""

    tag: str  # v1.0.0
    commit: str  # 40 hex digits


def configured_key() -> str | None:
    """The private key that this clone signs with, as `git config graft.signingKey` says."""
    return git.run("config", "--default", "", "--get", "graft.signingKey") or None


def trusted() -> dict[str, bytes]:
    """The signers that the team accepts: file name -> content, from the default branch and never from a release."""
    main = git.default_branch()
    names = (f"refs/remotes/origin/{main}", f"refs/heads/{main}", "HEAD")
    revision = next(name for name in names if git.succeeds("rev-parse", "--verify", "-q", f"{name}^{{commit}}"))
    listed = git.run("ls-tree", "--name-only", "-r", revision, "--", f"{SIGNERS}/").splitlines()
    listed = [path for path in listed if path.endswith((".pub", ".identity"))]
    contents = git.contents(f"{revision}:{path}" for path in listed) if listed else ()
    return {PurePosixPath(path).name: content or b"" for path, content in zip(listed, contents, strict=True)}


def sign(subject: Subject, key: str) -> str:
    """The signature of a commit as that release: a Sigstore bundle, one line of JSON.

    Args:
        subject: the release.
        key: path of a private key (PEM, elliptic curve), or `keyless`.

    Raises:
        GraftError: no such key, a wrong passphrase, or the extra is not installed.
    """
    library = _library("signing")
    with tempfile.TemporaryDirectory() as scratch:
        folder, bundle = Path(scratch, subject.tag), Path(scratch, "bundle.json")
        _lay_out(subject, folder)
        config = library.Config()
        try:
            if key == KEYLESS:
                config.use_sigstore_signer(use_ambient_credentials=True)
            else:
                passphrase = os.environ.get(PASSPHRASE)
                config.use_elliptic_key_signer(private_key=key, password=passphrase.encode() if passphrase else None)
            config.sign(folder, bundle)
        except Exception as error:  # the library raises what its own libraries raise
            raise GraftError(
                f"not signed: {key}: {_first_line(error)}",
                help=f"a private key of an elliptic curve in PEM; its passphrase in {PASSPHRASE}: "
                "docs/how-to/signing.md",
            ) from None
        return bundle.read_text(encoding="utf-8").strip()


def signer_of(subject: Subject, signature: str, signers: Mapping[str, bytes]) -> str | None:
    """Which of the trusted signers made this signature of this release; None: none of them."""
    library = _library("verifying")
    with tempfile.TemporaryDirectory() as scratch:
        folder, bundle = Path(scratch, subject.tag), Path(scratch, "bundle.json")
        _lay_out(subject, folder)
        bundle.write_text(signature, encoding="utf-8")
        for name, content in signers.items():
            try:
                _verifier(library, name, content, Path(scratch, "signer.pub")).verify(folder, bundle)
            except Exception:  # noqa: S112 - whatever it is, this signer did not sign it
                continue
            return Path(name).stem
    return None


def armored(signature: str) -> str:
    """A signature as it stands at the end of a tag's message."""
    return f"{BEGIN}\n{signature}\n{END}\n"


def in_tag(tag: str) -> str | None:
    """The signature in a tag's message; None when it has none."""
    message = git.run("for-each-ref", f"refs/tags/{tag}", "--format=%(contents)")
    _, begins, rest = message.partition(f"{BEGIN}\n")
    return rest.partition(f"\n{END}")[0] if begins else None


def _lay_out(subject: Subject, folder: Path) -> None:
    """What is signed, as files: the tag and commit by name, and the files that define the release."""
    lock = lockfile.parse(git.show(subject.commit, str(lockfile.PATH)) or b"", f"{subject.tag}:models.lock")
    paths = [*SIGNED, f"{lock.increment}/increment.yaml", f"{lock.increment}/raw.dvc"]
    for path, content in zip(paths, git.contents(f"{subject.commit}:{path}" for path in paths), strict=True):
        if content is not None:
            files.write_bytes(folder / path, content)
    files.write_text(folder / "release", f"{subject.tag} {subject.commit}\n")


def _verifier(library: Any, name: str, content: bytes, path: Path) -> Any:
    if name.endswith(".identity"):
        identity, issuer = content.decode().split()
        return library.Config().use_sigstore_verifier(identity=identity, oidc_issuer=issuer)
    path.write_bytes(content)
    return library.Config().use_elliptic_key_verifier(public_key=path)


def _library(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(f"model_signing.{name}")
    except ImportError as error:
        raise GraftError(
            f"signatures need the extra `sign` ({_first_line(error)})", help="pip install '.[sign]'"
        ) from None


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
