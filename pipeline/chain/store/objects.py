"""The objects of DVC's cache and remote.

DVC's internals are reached from here and from `places`, `transfer` and `tracking`, which this module is built on
or serves: requirements.lock pins one exact DVC, and what changes there is fixed in these. An object is named by
its MD5, as in dvc.lock; the MD5 of a folder ends in `.dir` and its object lists the folder's files.
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.chain.store import listing, progress, transfer
from pipeline.chain.store.listing import Listing
from pipeline.chain.store.places import Place, Places
from pipeline.common.errors import GraftError


@dataclass(frozen=True, slots=True)
class Digests:
    """Hashes of one object's bytes, as they are and not as they are named."""

    md5: str
    sha256: str
    size: int


@dataclass
class Store:
    """The objects of one repository.

    Args:
        root: folder that holds .dvc/.
        remote: name of the DVC remote; the default one for None.
    """

    root: Path = field(default_factory=Path)
    remote: str | None = None

    @cached_property
    def places(self) -> Places:
        """Cache and remote, as DVC opens them."""
        return Places(self.root, self.remote)

    @property
    def repo(self) -> Any:
        """DVC's own view of the repository."""
        return self.places.repo

    def remote_name(self) -> str | None:
        """Name of the remote; None when the team has not set one."""
        return self.places.remote_name()

    def missing(self, md5s: Iterable[str], place: Place) -> list[str]:
        """Those of the objects that are not there, sorted; a folder's files count only if it names them.

        Raises:
            GraftError: the remote is not set or cannot be reached.
        """
        md5s = sorted(set(md5s))
        there = self.places.sizes(md5s, place)
        return [md5 for md5 in md5s if md5 not in there]

    def read_listing(self, md5: str, place: Place) -> Listing:
        """What a place holds under a folder's name, right or not.

        Raises:
            FileNotFoundError: the folder's object is not there.
            GraftError: the place cannot be reached.
        """
        database = self.places.database(place)
        with self.places.errors(place, FileNotFoundError), database.fs.open(database.oid_to_path(md5), "rb") as file:
            return listing.parse(md5, file.read())

    def listing(self, md5: str, place: Place) -> dict[str, str]:
        """Files of a folder object: relative path -> MD5; hashed against its name first.

        Raises:
            FileNotFoundError: the folder's object is not there.
            GraftError: it is there and its bytes are not those that its name says.
        """
        there = self.read_listing(md5, place)
        if there.problem:
            again = "dvc fetch" if place == "cache" else "dvc push from a clone whose graft verify passes"
            raise GraftError(
                f"{place}: folder listing {md5} is corrupt: found {there.problem}",
                help=f"delete {self.places.database(place).oid_to_path(md5)}; {again} brings it again",
            )
        return there.files

    def closure(self, md5s: Iterable[str], *places: Place) -> set[str]:
        """The objects with the files of the folders among them, each listing from the first place that has it.

        Raises:
            GraftError: a listing is corrupt, or a place cannot be reached.
        """
        every = set(md5s)
        for md5 in [m for m in every if m.endswith(".dir")]:
            for place in places:
                with contextlib.suppress(FileNotFoundError):
                    every |= set(self.listing(md5, place).values())
                    break
        return every

    def digests(self, md5: str, place: Place) -> Digests:
        """Read an object to its end and hash what comes back.

        Raises:
            FileNotFoundError: it is not there.
            GraftError: the remote cannot be reached.
        """
        return self._digests(md5, place, lambda _: None)

    def all_digests(self, md5s: Iterable[str], place: Place) -> dict[str, Digests]:
        """Digests of many objects, read side by side; those that are not there are left out.

        Raises:
            GraftError: the remote cannot be reached.
        """
        sizes = self.places.sizes(md5s, place)
        with progress.shown("reading back" if place == "remote" else "hashing", transfer.total(sizes)) as count:
            return dict(self.places.side_by_side(lambda md5: (md5, self._digests(md5, place, count)), sizes, place))

    def all_sha256(self, md5s: Iterable[str], place: Place) -> dict[str, str]:
        """SHA-256 of many objects, read side by side: thrice as fast as both digests. Raises like `all_digests`."""
        sizes = self.places.sizes(md5s, place)

        def sha256(md5: str) -> tuple[str, str]:
            digest = hashlib.sha256()
            self.places.read(md5, place, [digest], count)
            return md5, digest.hexdigest()

        with progress.shown("reading back" if place == "remote" else "hashing", transfer.total(sizes)) as count:
            return dict(self.places.side_by_side(sha256, sizes, place))

    def cache_dir(self) -> Path:
        """The cache's folder, which clones may share."""
        return Path(self.repo.cache.local_cache_dir)

    def path(self, md5: str) -> Path:
        """Where the cache holds an object; read-only."""
        return Path(self.places.database("cache").oid_to_path(md5))

    def read(self, md5: str) -> bytes:
        """Bytes of an object that the cache holds."""
        return self.path(md5).read_bytes()

    def fetch(self, md5s: Iterable[str]) -> None:
        """Bring objects, with their folders' files, from the remote into the cache, where they are not yet.

        Raises:
            GraftError: the remote is not set or out of reach, an object is in neither place, or the remote
                gives back other bytes than its names say, which then are not kept.
        """
        md5s = set(md5s)
        self._bring([m for m in md5s if m.endswith(".dir")])  # the .dir alone brings no files
        self._bring(self.closure(md5s, "cache"))

    def push(self, md5s: Iterable[str]) -> list[str]:
        """Copy objects from the cache to the remote; returns those that the remote did not have.

        Files go first and folder listings last, so that a listing in the remote is always whole.

        Raises:
            GraftError: an object is not in the cache, or the remote failed (what got there is named).
        """
        every = sorted(self.closure(md5s, "cache", "remote"))
        here, there = self.places.sizes(every, "cache"), self.places.sizes(every, "remote")
        # SFTP leaves what it had written when a push was cut: an object of another size is none.
        new = [m for m in every if m not in there or (m in here and there[m] not in (here[m], None))]
        absent = [m for m in new if m not in here]
        if absent:
            raise GraftError(
                f"{len(absent)} objects are neither in the cache nor in the remote",
                absent,
                help="dvc repro makes outputs again; dvc fetch brings data that a colleague pushed",
            )
        corrupt = self._corrupt(new, "cache")
        if corrupt:  # never over an object of the remote that may be the only right one
            raise GraftError(
                "DVC's cache holds other bytes than it recorded; nothing was pushed",
                corrupt,
                help="delete the named objects from .dvc/cache/files/md5; dvc fetch brings those that were pushed "
                "before, dvc repro makes the others again",
            )
        for batch in ([m for m in new if not m.endswith(".dir")], [m for m in new if m.endswith(".dir")]):
            transfer.copy(self.places, batch, "cache", "remote")
        return new

    def check_out(self, md5: str, path: Path) -> None:
        """Lay an object of the cache into the working tree, as a link where the file system has them.

        Raises:
            GraftError: DVC found its bytes to be other ones, and deleted it from the cache.
        """
        from dvc_data.hashfile import load
        from dvc_data.hashfile.checkout import CheckoutError, checkout
        from dvc_data.hashfile.hash_info import HashInfo
        from dvc_objects.fs.local import localfs

        database = self.places.database("cache")
        if md5.endswith(".dir"):
            self.listing(md5, "cache")  # refuses a corrupt one, which DVC would believe
        path.parent.mkdir(parents=True, exist_ok=True)
        found = load(database, HashInfo("md5", md5))
        try:
            checkout(str(path.resolve()), localfs, found, database, force=True, quiet=True)
        except CheckoutError as error:
            raise GraftError(
                f"{path}: DVC's cache does not give it back: object {md5} or a file of it is missing or corrupt",
                help="dvc fetch brings it from the remote; then again",
            ) from error

    def save(self, path: Path) -> str:
        """Put a copy of a file or folder into the cache, without tracking it; returns its MD5."""
        from dvc_data.hashfile.build import build
        from dvc_data.hashfile.transfer import transfer
        from dvc_objects.fs.local import localfs

        cache = self.places.database("cache")
        staged, _, made = build(cache, str(path.resolve()), localfs, "md5")
        transfer(staged, cache, {made.hash_info}, shallow=False, hardlink=False)
        return str(made.hash_info.value)

    def note(self, name: str) -> bytes | None:
        """Text that `write_note` laid into the remote under this name, if any; no object and known to no release.

        Raises:
            GraftError: the remote is not set or cannot be reached.
        """
        database = self.places.database("remote")
        try:
            with self.places.errors("remote", FileNotFoundError), database.fs.open(self._note(name), "rb") as file:
                return bytes(file.read())
        except FileNotFoundError:
            return None

    def write_note(self, name: str, text: bytes) -> None:
        """Lay a text into the remote, in place of one of that name.

        Raises:
            GraftError: the remote is not set or cannot be reached.
        """
        database = self.places.database("remote")
        with self.places.errors("remote"):
            database.fs.makedirs(database.fs.parent(self._note(name)), exist_ok=True)
            with database.fs.open(self._note(name), "wb") as file:
                file.write(text)

    def _note(self, name: str) -> str:
        """Beside the objects, which lie in files/md5."""
        database = self.places.database("remote")
        return str(database.fs.join(database.fs.parent(database.fs.parent(database.path)), "graft-notes", name))

    def _bring(self, md5s: Iterable[str]) -> None:
        absent = self.missing(md5s, "cache")
        if not absent:
            return
        nowhere = self.missing(absent, "remote")
        if nowhere:
            raise GraftError(
                f"{len(nowhere)} objects are neither in the cache nor in the remote {self.remote_name()!r}",
                nowhere,
                help="whoever made them must `dvc push`",
            )
        transfer.copy(self.places, absent, "remote", "cache")
        corrupt = self._corrupt(absent, "cache")
        if corrupt:
            for line in corrupt:
                self.path(line.partition(":")[0]).unlink(missing_ok=True)
            raise GraftError(
                f"remote {self.remote_name()!r} holds other bytes than its names say; the cache takes none of them",
                corrupt,
                help="graft verify RELEASE --remote names the files; delete these objects in the remote, then dvc push "
                "from a clone whose graft verify passes",
            )

    def _corrupt(self, md5s: Iterable[str], place: Place) -> list[str]:
        """Those of the objects whose bytes have another MD5, one line each; what is not there is left out."""
        sizes = self.places.sizes(md5s, place)

        def md5_of(name: str) -> tuple[str, str]:
            digest = hashlib.md5(usedforsecurity=False)
            self.places.read(name, place, [digest], count)
            return name, digest.hexdigest()

        with progress.shown("reading back" if place == "remote" else "hashing", transfer.total(sizes)) as count:
            there = dict(self.places.side_by_side(md5_of, sizes, place))
        return [f"{name}: found md5 {md5}" for name, md5 in there.items() if md5 != name.removesuffix(".dir")]

    def _digests(self, md5: str, place: Place, count: Callable[[int], object]) -> Digests:
        hashes = hashlib.md5(usedforsecurity=False), hashlib.sha256()
        size = self.places.read(md5, place, hashes, count)
        return Digests(hashes[0].hexdigest(), hashes[1].hexdigest(), size)
