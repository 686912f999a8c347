"""Signatures: who vouches for a release, and that tampering with any one file, name or order is caught."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.commands.test_release import ready  # noqa: F401 - a fixture
from tests.conftest import ROOT, Clone, some

Edit = Callable[[Clone], None]


def keys(folder: Path, name: str, passphrase: bytes | None = None) -> tuple[Path, bytes]:
    """A private key in a file, and its public key in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    lock = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    path = folder / f"{name}.key"
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock))
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    return path, key.public_key().public_bytes(serialization.Encoding.PEM, kind)


@pytest.fixture
def guarded(ready: Clone, tmp_path: Path) -> tuple[Clone, Path]:  # noqa: F811
    """A repository whose main names one signer, and that signer's private key."""
    private, public = keys(tmp_path, "ada")
    (ready.path / "signers").mkdir()
    (ready.path / "signers/ada.pub").write_bytes(public)
    ready.commit("Ada signs our releases")
    ready.git("push", "-q", "origin", "main")
    return ready, private


def test_signed_release_says_who_signed_it(guarded: tuple[Clone, Path]) -> None:
    clone, private = guarded
    assert "tagged: v1.1.0, signed" in clone.graft("release", "--sign", str(private))
    assert "v1.1.0: signed by ada" in clone.graft("verify", "v1.1.0")
    assert "PRIVATE" not in clone.git("cat-file", "-p", "v1.1.0")


def test_plain_git_and_model_signing_verify_a_release_as_the_page_says(guarded: tuple[Clone, Path]) -> None:
    clone, private = guarded
    clone.graft("release", "--sign", str(private))
    page = (ROOT / "docs/how-to/signing.md").read_text(encoding="utf-8")
    [recipe] = re.findall(r"^```sh\n(TAG=.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert "Verification succeeded" in clone.run("bash", "-e", "-o", "pipefail", "-c", recipe)
    tampered = recipe.replace("\nmodel_signing", "\nsed -i 's/1/2/' $SIGNED/reports/manifest.json\nmodel_signing")
    assert tampered != recipe
    assert "Verification failed" in clone.run("bash", "-c", tampered, code=1)


def test_key_of_git_config_signs_too(guarded: tuple[Clone, Path]) -> None:
    clone, private = guarded
    clone.git("config", "graft.signingKey", str(private))
    assert "signed" in clone.graft("release")


def test_release_without_a_key_is_refused_where_signers_are_named(guarded: tuple[Clone, Path]) -> None:
    clone, _ = guarded
    assert "there is no key" in clone.graft("release", code=1)
    assert clone.git("tag") == "v1.0.0"


def test_strangers_key_is_refused_and_his_tag_is_found_out(guarded: tuple[Clone, Path], tmp_path: Path) -> None:
    clone, _ = guarded
    stranger, public = keys(tmp_path, "eve")
    assert "not the key of a signer" in clone.graft("release", "--sign", str(stranger), code=1)
    (clone.path / "signers/eve.pub").write_bytes(public)  # on a branch of her own, which is not main
    clone.git("checkout", "-q", "-b", "eve")
    clone.commit("Eve trusts herself")
    clone.git("tag", "-a", "v1.1.0", "-m", "by hand")
    assert "unsigned: tag v1.1.0" in clone.graft("verify", "v1.1.0", code=1)


def test_unsigned_releases_are_no_fault_where_no_signer_is_named(ready: Clone) -> None:  # noqa: F811
    ready.graft("release")
    assert "not signed: the repository names no signers" in ready.graft("verify", "v1.1.0")


def manifest_entry(clone: Clone) -> None:
    path = clone.path / "reports/manifest.json"
    manifest = json.loads(path.read_text())
    manifest["outputs"]["models/adapter/adapter_model.safetensors"]["sha256"] = "0" * 64
    path.write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n")


def file_name(clone: Clone) -> None:
    path = clone.path / "reports/manifest.json"
    path.write_text(path.read_text().replace("models/merged/config.json", "models/merged/other.json"))


def order(clone: Clone) -> None:
    path = clone.path / "reports/manifest.json"
    manifest = json.loads(path.read_text())
    manifest["outputs"] = dict(reversed(manifest["outputs"].items()))
    path.write_text(json.dumps(manifest, indent=2) + "\n")


def raw_dvc(clone: Clone) -> None:
    path = clone.path / "data/increments/2026-02-spring/raw.dvc"
    path.write_text(path.read_text() + "# changed\n")


def dvc_lock(clone: Clone) -> None:
    (clone.path / "dvc.lock").write_text(clone.read("dvc.lock") + "# changed\n")


def nothing(clone: Clone) -> None:
    """The signature on another commit of the same content."""


@pytest.mark.parametrize(
    "edit", some((manifest_entry, file_name, order, raw_dvc, dvc_lock, nothing), quick=[manifest_entry, nothing])
)
def test_moved_or_altered_release_loses_its_signature(guarded: tuple[Clone, Path], edit: Edit) -> None:
    clone, private = guarded
    clone.graft("release", "--sign", str(private))
    message = clone.git("for-each-ref", "refs/tags/v1.1.0", "--format=%(contents)")
    edit(clone)
    clone.commit("Tampered")
    clone.git("tag", "--force", "--annotate", "--cleanup=verbatim", "-m", message + "\n", "v1.1.0")
    assert "wrong-signature: tag v1.1.0" in clone.graft("verify", "v1.1.0", code=1)


def test_signature_of_another_version_does_not_count(guarded: tuple[Clone, Path]) -> None:
    clone, private = guarded
    clone.graft("release", "--sign", str(private))
    message = clone.git("for-each-ref", "refs/tags/v1.1.0", "--format=%(contents)")
    clone.git("tag", "--annotate", "--cleanup=verbatim", "-m", message + "\n", "v1.2.0")
    assert "wrong-signature: tag v1.2.0" in clone.graft("verify", "v1.2.0", code=1)


def test_key_with_a_passphrase(guarded: tuple[Clone, Path], tmp_path: Path) -> None:
    clone, _ = guarded
    private, public = keys(tmp_path, "bo", b"open sesame")
    (clone.path / "signers/bo.pub").write_bytes(public)
    clone.commit("Bo signs, too")
    clone.git("push", "-q", "origin", "main")
    said = clone.graft("release", "--sign", str(private), code=1)
    assert "GRAFT_SIGNING_PASSPHRASE" in said
    said = clone.graft("release", "--sign", str(private), GRAFT_SIGNING_PASSPHRASE="open sesame")  # noqa: S106
    assert "tagged: v1.1.0, signed" in said
    assert "signed by bo" in clone.graft("verify", "v1.1.0")


@pytest.mark.parametrize("content", some((b"", b"no key at all"), quick=[b"no key at all"]))
def test_key_that_is_none_is_one_clear_error(guarded: tuple[Clone, Path], tmp_path: Path, content: bytes) -> None:
    clone, _ = guarded
    (tmp_path / "bad.key").write_bytes(content)
    assert "not signed:" in clone.graft("release", "--sign", str(tmp_path / "bad.key"), code=1)
    assert "not signed:" in clone.graft("release", "--sign", str(tmp_path / "absent.key"), code=1)
