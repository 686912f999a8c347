"""DVC's cache and remote, reached from this module alone.

`dvc.repo.Repo` and dvc_data are DVC's internals: requirements.lock pins one exact DVC, and
whatever changes there is mended here. An object is named by its MD5, as in dvc.lock; the MD5
of a folder ends in `.dir` and its object lists the folder's files.
"""

import contextlib
import hashlib
import io
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

import orjson

from pipeline.chain import faults, progress
from pipeline.errors import GraftError

Place = Literal["cache", "remote"]
T = TypeVar("T")
_OBJECT = re.compile(r"[0-9a-f]{32}(\.dir)?")
logging.getLogger("dvc").setLevel(logging.ERROR)
logging.getLogger("dvc_data").setLevel(logging.CRITICAL)  # failed transfers are named below, once
logging.getLogger("dvc_objects").setLevel(logging.CRITICAL)


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
    def _repo(self) -> Any:
        from dvc.repo import Repo

        return Repo(str(self.root))

    def remote_name(self) -> str | None:
        """Name of the remote; None when the team has not set one."""
        name: str | None = self.remote or self._repo.config["core"].get("remote")
        return name

    def missing(self, md5s: Iterable[str], place: Place) -> list[str]:
        """Those of the objects that are not there, sorted; a folder's files count only if it names them.

        Raises:
            GraftError: the remote is not set or cannot be reached.
        """
        md5s = sorted(set(md5s))
        there = self._sizes(md5s, place)
        return [md5 for md5 in md5s if md5 not in there]

    def listing(self, md5: str, place: Place) -> dict[str, str]:
        """Files of a folder object: relative path -> MD5.

        Raises:
            FileNotFoundError: the folder's object is not there.
            GraftError: it is there and is not a folder's listing any more.
        """
        database = self._database(place)
        with self._errors(place, FileNotFoundError), database.fs.open(database.oid_to_path(md5), "rb") as file:
            text = file.read()
        try:  # not by dvc_data's Tree: ten times slower, and a chain has thousands of listings
            return {entry["relpath"]: entry["md5"] for entry in orjson.loads(text)}
        except (ValueError, KeyError, TypeError):
            raise GraftError(f"{place}: object {md5} is corrupt: not a folder listing") from None

    def closure(self, md5s: Iterable[str], place: Place) -> set[str]:
        """The objects with the files of the folders among them, as far as `place` holds the listings."""
        every = set(md5s)
        for md5 in [m for m in every if m.endswith(".dir")]:
            try:
                every |= set(self.listing(md5, place).values())
            except FileNotFoundError:
                continue
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
        sizes = self._sizes(md5s, place)
        with progress.shown("reading back" if place == "remote" else "hashing", _total(sizes)) as count:
            return dict(self._side_by_side(lambda md5: (md5, self._digests(md5, place, count)), sizes, place))

    def all_sha256(self, md5s: Iterable[str], place: Place) -> dict[str, str]:
        """SHA-256 of many objects, read side by side: thrice as fast as both digests. Raises like `all_digests`."""
        sizes = self._sizes(md5s, place)

        def sha256(md5: str) -> tuple[str, str]:
            digest = hashlib.sha256()
            self._read(md5, place, [digest], count)
            return md5, digest.hexdigest()

        with progress.shown("reading back" if place == "remote" else "hashing", _total(sizes)) as count:
            return dict(self._side_by_side(sha256, sizes, place))

    def cache_dir(self) -> Path:
        """The cache's folder, which clones may share."""
        return Path(self._repo.cache.local_cache_dir)

    def path(self, md5: str) -> Path:
        """Where the cache holds an object; read-only."""
        return Path(self._database("cache").oid_to_path(md5))

    def read(self, md5: str) -> bytes:
        """Bytes of an object that the cache holds."""
        return self.path(md5).read_bytes()

    def fetch(self, md5s: Iterable[str]) -> None:
        """Bring objects, with their folders' files, from the remote into the cache, where they are not yet.

        Raises:
            GraftError: the remote is not set or out of reach, or an object is in neither place.
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
        every = sorted(self.closure(md5s, "cache"))
        here, there = self._sizes(every, "cache"), self._sizes(every, "remote")
        # SFTP leaves what it had written when a push was cut: an object of another size is none.
        new = [m for m in every if m not in there or (m in here and there[m] not in (here[m], None))]
        absent = [m for m in new if m not in here]
        if absent:
            raise GraftError(
                f"{len(absent)} objects are neither in the cache nor in the remote",
                absent,
                help="dvc repro makes outputs again; dvc fetch brings data that a colleague pushed",
            )
        found = self.all_digests(new, "cache")
        corrupt = [f"{m}: found md5 {found[m].md5}" for m in new if found[m].md5 != m.removesuffix(".dir")]
        if corrupt:  # never over an object of the remote that may be the only right one
            raise GraftError(
                "DVC's cache holds other bytes than it recorded; nothing was pushed",
                corrupt,
                help="delete the named objects from .dvc/cache/files/md5; dvc fetch brings those that were pushed "
                "before, dvc repro makes the others again",
            )
        for batch in ([m for m in new if not m.endswith(".dir")], [m for m in new if m.endswith(".dir")]):
            self._transfer(batch, "cache", "remote")
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

        database = self._database("cache")
        path.parent.mkdir(parents=True, exist_ok=True)
        found = load(database, HashInfo("md5", md5))
        try:
            checkout(str(path.resolve()), localfs, found, database, force=True, quiet=True)
        except CheckoutError as error:
            raise GraftError(
                f"{path}: DVC's cache does not give it back: object {md5} or a file of it is missing or corrupt",
                help="dvc fetch brings it from the remote; then again",
            ) from error

    def add(self, path: Path) -> str:
        """Track a folder as `dvc add` does; returns its MD5."""
        with contextlib.redirect_stdout(io.StringIO()):  # DVC's hints about git add
            [stage] = self._repo.add([str(path)])
        return str(stage.outs[0].hash_info.value)

    def everything(self, place: Place) -> dict[str, int]:
        """Every object that a place holds: MD5 -> bytes."""
        database = self._database(place)
        fs, top = database.fs, database.path
        with self._errors(place):
            if not fs.exists(top):
                return {}
            local = fs.protocol == "local"
            infos = {path: fs.info(path) for path in fs.find(top)} if local else fs.fs.find(top, detail=True)
        named = {"".join(path.split("/")[-2:]): info["size"] for path, info in infos.items()}
        return {md5: size for md5, size in named.items() if _OBJECT.fullmatch(md5)}

    def delete(self, md5s: Iterable[str], place: Place) -> None:
        """Delete objects; folder listings first, so that one that stays is whole."""
        database = self._database(place)

        def remove(md5: str) -> None:
            with contextlib.suppress(FileNotFoundError):  # another one was faster
                database.fs.rm_file(database.oid_to_path(md5))

        md5s = set(md5s)
        listings = {md5 for md5 in md5s if md5.endswith(".dir")}
        for batch in (listings, md5s - listings):
            self._side_by_side(remove, batch, place)

    def save(self, path: Path) -> str:
        """Put a copy of a file or folder into the cache, without tracking it; returns its MD5."""
        from dvc_data.hashfile.build import build
        from dvc_data.hashfile.transfer import transfer
        from dvc_objects.fs.local import localfs

        cache = self._database("cache")
        staged, _, made = build(cache, str(path.resolve()), localfs, "md5")
        transfer(staged, cache, {made.hash_info}, shallow=False, hardlink=False)
        return str(made.hash_info.value)

    def note(self, name: str) -> bytes | None:
        """Text that `write_note` laid into the remote under this name, if any; no object and known to no release.

        Raises:
            GraftError: the remote is not set or cannot be reached.
        """
        database = self._database("remote")
        try:
            with self._errors("remote", FileNotFoundError), database.fs.open(self._note(name), "rb") as file:
                return bytes(file.read())
        except FileNotFoundError:
            return None

    def write_note(self, name: str, text: bytes) -> None:
        """Lay a text into the remote, in place of one of that name.

        Raises:
            GraftError: the remote is not set or cannot be reached.
        """
        database = self._database("remote")
        with self._errors("remote"):
            database.fs.makedirs(database.fs.parent(self._note(name)), exist_ok=True)
            with database.fs.open(self._note(name), "wb") as file:
                file.write(text)

    def _note(self, name: str) -> str:
        """Beside the objects, which lie in files/md5."""
        database = self._database("remote")
        return str(database.fs.join(database.fs.parent(database.fs.parent(database.path)), "graft-notes", name))

    def reproduce(self, dvc_file: Path | str) -> None:
        """Run `dvc repro` on one .dvc file, as its import or check asks, or on a stage."""
        from dvc.exceptions import DvcException

        try:
            with contextlib.redirect_stdout(io.StringIO()):
                self._repo.reproduce([str(dvc_file)])
        except DvcException as error:
            raise GraftError(f"dvc repro {dvc_file}: {error}") from error

    def stale(self) -> dict[str, list[Any]]:
        """What `dvc status` says: stage -> why; empty when the pipeline is up to date."""
        from dvc.exceptions import DvcException

        try:
            return dict(self._repo.status())
        except DvcException as error:
            raise GraftError(f"dvc: {error}", help="dvc status --verbose says more") from error

    def union(self, folders: dict[str, str], path: Path) -> str:
        """Make one folder object out of several, each below its own name, and no copy of any file.

        Args:
            folders: name in the union -> MD5 of the folder, whose listing the cache holds.
            path: where the union's `.dvc` file will stand, as for `dvc add PATH`.

        Returns:
            MD5 of the union, which the cache then holds.
        """
        from dvc_data.hashfile.db import add_update_tree
        from dvc_data.hashfile.hash_info import HashInfo
        from dvc_data.hashfile.tree import Tree

        database = self._database("cache")
        union = Tree()
        for name, md5 in folders.items():
            tree = Tree.load(database, HashInfo("md5", md5))
            for key, (meta, info) in tree.as_dict().items():
                union.add((name, *key), meta, info)
        union.digest()
        union = add_update_tree(database, union)
        self.check_out(union.oid, path)
        return self.add(path)

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
        self._transfer(absent, "remote", "cache")

    def _transfer(self, md5s: list[str], source: Place, target: Place) -> None:
        """Copy objects that are in `source` over those of `target`, small ones first, until one fails."""
        sizes = self._sizes(md5s, source) if md5s else {}
        todo = sorted(sizes, key=lambda md5: (sizes[md5] or 0, md5))
        jobs = self._database("remote").fs.jobs
        with progress.shown("pushing" if target == "remote" else "fetching", _total(sizes)) as count:
            for start in range(0, len(todo), jobs):  # all at once would go on failing long after the first fault
                try:
                    self._copy(todo[start : start + jobs], source, target, progress.Bytes(count))
                except Exception as error:
                    place = target if faults.is_of_disk(error) else "remote"
                    raise self._fault(error, place, [f"at least {start} of {len(todo)} objects arrived"]) from error

    def _copy(self, md5s: list[str], source: Place, target: Place, callback: progress.Bytes) -> None:
        giver, taker = self._database(source), self._database(target)
        paths = [giver.oid_to_path(md5) for md5 in md5s]
        try:
            # With a handler for errors, DVC would keep the part that came of an object under its full name.
            taker.add(paths, giver.fs, md5s, check_exists=False, batch_size=len(md5s), callback=callback)
        except Exception:
            for path in [taker.oid_to_path(md5) for md5 in self._sizes(md5s, "cache")] if target == "cache" else []:
                taker.protect(path)
            raise

    def _sizes(self, md5s: Iterable[str], place: Place) -> dict[str, int | None]:
        """Bytes of those of the objects that are there; None where the remote does not say.

        Nothing is asked for a listing: it would grow with history. (And a local database's own
        oids_exist deletes what it takes for corrupt.) Without objects, the place itself is asked for.
        """
        database = self._database(place)
        md5s = list(md5s)
        paths = [database.oid_to_path(md5) for md5 in md5s] or [database.path]
        with self._errors(place):
            infos = database.fs.info(paths, return_exceptions=True)
            for info in infos:
                if isinstance(info, Exception) and not faults.is_absence(info):
                    raise info
        return {m: info.get("size") for m, info in zip(md5s, infos, strict=False) if not isinstance(info, Exception)}

    def _digests(self, md5: str, place: Place, count: Callable[[int], object]) -> Digests:
        hashes = hashlib.md5(usedforsecurity=False), hashlib.sha256()
        size = self._read(md5, place, hashes, count)
        return Digests(hashes[0].hexdigest(), hashes[1].hexdigest(), size)

    def _read(self, md5: str, place: Place, hashes: Iterable[Any], count: Callable[[int], object]) -> int:
        """Feed an object's bytes to these hashes; returns how many there were."""
        database, size = self._database(place), 0
        with self._errors(place, FileNotFoundError), database.fs.open(database.oid_to_path(md5), "rb") as file:
            while chunk := file.read(1 << 20):
                size += len(chunk)
                count(len(chunk))
                for digest in hashes:
                    digest.update(chunk)
        return size

    def _side_by_side(self, work: Callable[[str], T], md5s: Iterable[str], place: Place) -> list[T]:
        """Results of `work`, in as many threads as the remote's `jobs`: a remote answers late, not slowly."""
        with self._errors(place), ThreadPoolExecutor(self._database(place).fs.jobs) as pool:
            try:
                return list(pool.map(work, md5s))
            except BaseException:
                pool.shutdown(cancel_futures=True)  # the first error is enough
                raise

    def _database(self, place: Place) -> Any:
        if place == "cache":
            return self._repo.cache.local
        return self._remote

    @cached_property
    def _remote(self) -> Any:
        if self.remote_name() is None:
            raise GraftError(
                "no DVC remote is set",
                help="dvc remote add --default storage /path/or/url && git commit .dvc/config -m 'Add the remote'",
            )
        with self._errors("remote"):
            return self._repo.cloud.get_remote_odb(self.remote)

    @contextlib.contextmanager
    def _errors(self, place: Place, *through: type[Exception]) -> Iterator[None]:
        """Whatever DVC and its plug-ins raise becomes one GraftError, but for what is asked to come through."""
        try:
            yield
        except Exception as error:
            if isinstance(error, (GraftError, *through)):
                raise
            raise self._fault(error, place) from error

    def _fault(self, error: BaseException, place: Place, problems: Iterable[str] = ()) -> GraftError:
        if place == "cache":
            return faults.fault(f"DVC's cache ({self._database('cache').path})", {}, error, problems)
        name = self.remote_name()
        settings = self._repo.config["remote"].get(name, {})
        return faults.fault(f"remote {name!r} ({settings.get('url')})", settings, error, problems)


def _total(sizes: dict[str, int | None]) -> int:
    return sum(filter(None, sizes.values()))
