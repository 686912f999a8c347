"""The Hugging Face hub, reached from this module alone; its files stay in the hub's own cache.

HF_ENDPOINT, HF_TOKEN, HF_HOME, HF_HUB_OFFLINE and their kin mean what the hub's library says they do.
It reads them when it is imported, and it is imported only once a base on the hub is asked for.
"""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.common import files
from pipeline.common.errors import GraftError
from pipeline.model.base import hub_errors


@dataclass(frozen=True, kw_only=True, slots=True)
class HubListing:
    """What a repository holds at one commit."""

    commit: str  # 40 hex digits
    digests: dict[str, str]  # file -> SHA-256 (64 hex digits) of a large file, git's blob id (40) of a small one


def listing(repo: str, revision: str | None) -> HubListing:
    """The commit that a revision means now, and its files; one request, no retries.

    Args:
        repo: ORG/NAME.
        revision: branch, tag or commit; None is the default branch.

    Raises:
        GraftError: unknown repository or revision, no access, no network, offline mode, a failing server.
    """
    with hub_errors.explained(repo, revision):
        from huggingface_hub import HfApi, constants

        _quiet()
        timeout = constants.HF_HUB_ETAG_TIMEOUT
        info = HfApi().model_info(repo, revision=revision, files_metadata=True, timeout=timeout)
        digests = {file.rfilename: file.lfs.sha256 if file.lfs else file.blob_id for file in info.siblings or []}
        known = {name: digest for name, digest in digests.items() if digest}
        if info.sha is None or known != digests:
            raise ValueError("no commit or no digests in the answer")
    return HubListing(commit=info.sha, digests=known)


def fetch(repo: str, commit: str, digests: Mapping[str, str]) -> Path:
    """Folder of the hub's cache that holds these files of a commit, each checked against its digest.

    Files that the cache lacks are downloaded; nothing is asked of the network when it has them all.
    A download that differs is removed again, so that no other program takes it for good.

    Args:
        repo: ORG/NAME.
        commit: 40 hex digits.
        digests: what to fetch, file -> digest, as in `Listing.digests`.

    Raises:
        GraftError: as `listing`; or a file is cut short, or its content differs (all such files named).
    """
    folder = _snapshot(repo, commit)
    missing = [name for name in sorted(digests) if not (folder / name).exists()]
    if missing:
        listing(repo, commit)  # a refusal or a dead network shows here at once; a download retries for half a minute
    problems = []
    for name, expected in sorted(digests.items()):
        if name in missing:
            print(f"downloading {name} ({missing.index(name) + 1} of {len(missing)})", flush=True)
            _download(repo, commit, name, folder)
        with hub_errors.explained(repo, commit, name):
            found = _digest(folder / name, expected)
        if found != expected:
            problems.append(_difference(folder / name, expected, found, fresh=name in missing))
    if problems:
        raise GraftError(
            f"{hub_errors.title(repo, commit)}: not as pinned: {len(problems)} of {len(digests)} files",
            problems,
            help="remove the older downloads, if any are named, and run this again; "
            "if it repeats, the hub, a mirror or a proxy on the way alters files",
        )
    return folder


def cached(repo: str, commit: str, name: str) -> Path | None:
    """A file of a commit, if the hub's cache has it; the network is not asked."""
    path = _snapshot(repo, commit) / name
    return path if path.is_file() else None


def _snapshot(repo: str, commit: str) -> Path:
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    cache = Path(constants.HF_HUB_CACHE).expanduser().resolve()
    return cache / repo_folder_name(repo_id=repo, repo_type="model") / "snapshots" / commit


def _download(repo: str, commit: str, name: str, folder: Path) -> None:
    with hub_errors.explained(repo, commit, name):
        from huggingface_hub import hf_hub_download

        hf_hub_download(repo, name, revision=commit)
        if not (folder / name).exists():
            raise ValueError("the answer is another commit's")


def _digest(path: Path, like: str) -> str:
    """Digest of a file, of the kind that `like` is."""
    if len(like) == 64:
        return files.sha256(path)
    content = path.read_bytes()  # the hub keeps files above 10 MB under their SHA-256
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _difference(path: Path, expected: str, found: str, *, fresh: bool) -> str:
    """A line on a file that differs; its cached copy is removed if this process brought it."""
    line = f"{path.name}: expected {expected}, found {found}"
    blob = path.resolve()
    if not fresh:
        return f"{line}; an older download: remove {path} and {blob}"
    path.unlink()
    blob.unlink(missing_ok=True)
    return f"{line}; removed from the cache"


def _quiet() -> None:
    """Keep the library's own notes off the screen: they spell out signed download addresses."""
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
