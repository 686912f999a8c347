"""train.checkpoint_url: copies of the checkpoints where another machine finds them, any place that fsspec knows.

Credentials come from where fsspec's file systems look (environment, instance role). Nothing of an address beyond
protocol, host and path is ever printed, and no message of a file system: both may hold secrets.
"""

import os
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import fsspec

from pipeline.common.errors import GraftError
from pipeline.training.checkpoints import checkpoint
from pipeline.training.checkpoints.checkpoint import CheckpointStore

SWITCH = "GRAFT_CHECKPOINT_MIRROR"  # "off" in CI: a mirror holds what anybody with its key wrote there


@dataclass(frozen=True, kw_only=True, slots=True)
class Mirror:
    """The folder of one run at the other place."""

    files: Any  # fsspec's file system
    folder: str  # path in it, without protocol
    shown: str  # address without credentials

    def push(self, store: CheckpointStore, step: int) -> None:
        """Copy a checkpoint there, JSON last, and remove those beyond `keep`; a failure is only told."""
        with _told(f"the checkpoint of step {step} was not copied to {self.shown}"):
            self.files.makedirs(self.folder, exist_ok=True)
            for name in checkpoint.names(step):
                self.files.put_file(str(store.folder / name), f"{self.folder}/{name}")
            for old in self._steps()[: -store.keep]:
                for name in reversed(checkpoint.names(old)):
                    self.files.rm_file(f"{self.folder}/{name}")

    def pull(self, store: CheckpointStore) -> None:
        """Bring the newest checkpoint from there, where it is newer than what lies here; a failure is only told."""
        with _told(f"no checkpoint was brought from {self.shown}"):
            there, here = self._steps(), store.steps()
            if there and there[-1] > (here[-1] if here else 0):
                self._bring(store, there)

    def clear(self) -> None:
        """Remove this run's checkpoints there; a failure is only told."""
        with _told(f"checkpoints are left at {self.shown}"):
            if self.files.exists(self.folder):
                for path in self.files.ls(self.folder, detail=False, refresh=True):
                    self.files.rm_file(path)  # one by one: not every server deletes many at once
            if self.files.exists(self.folder):  # of a file system that has folders
                self.files.rmdir(self.folder)

    def _bring(self, store: CheckpointStore, steps: list[int]) -> None:
        """The newest ones, all that there are: when one is damaged, the one before serves."""
        store.folder.mkdir(parents=True, exist_ok=True)
        for step in steps[-store.keep :]:
            for name in checkpoint.names(step):
                draft = store.folder / f".{name}.tmp"
                self.files.get_file(f"{self.folder}/{name}", str(draft))
                draft.replace(store.folder / name)
        print(f"train: brought the checkpoint of step {steps[-1]} from {self.shown}", flush=True)

    def _steps(self) -> list[int]:
        if not self.files.exists(self.folder):
            return []
        found = [str(name).rpartition("/")[2] for name in self.files.ls(self.folder, detail=False, refresh=True)]
        return sorted(int(name[:-5]) for name in found if name.endswith(".json") and name[:-5].isdigit())


def mirror(url: str | None, fingerprint: str) -> Mirror | None:
    """Where train.checkpoint_url points, for the run of this fingerprint.

    A place that cannot be reached now is only told, and there is none: some file systems connect as they are made.

    Raises:
        GraftError: fsspec knows no such place, or the package for it is not installed.
    """
    if url is None or os.environ.get(SWITCH) == "off":
        return None
    try:
        found, path = fsspec.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise GraftError(
            f"train.checkpoint_url: {shown(url)}: cannot be reached ({type(error).__name__})",
            help="an address that fsspec knows, its package installed: make setup EXTRAS=s3, see docs/remotes.md",
        ) from None
    except Exception as error:
        print(
            f"train: warning: no checkpoint goes to {shown(url)} or comes from it ({type(error).__name__})", flush=True
        )
        return None
    folder = f"{str(path).rstrip('/')}/{fingerprint}"
    return Mirror(files=found, folder=folder, shown=shown(url))


def shown(url: str) -> str:
    """An address without user, password and query."""
    parts = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Any failure of a distant place becomes a warning: file systems raise whatever their libraries do."""
    try:
        yield
    except Exception as error:
        print(f"train: warning: {what} ({type(error).__name__})", flush=True)
