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
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import orjson

from pipeline.errors import GraftError

Place = Literal["cache", "remote"]
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
        md5s = set(md5s)
        database = self._database(place)
        try:
            # A local database's own oids_exist deletes what it takes for corrupt; nothing is deleted here.
            local = database.fs.protocol == "local"
            there = (
                {m for m in md5s if database.fs.exists(database.oid_to_path(m))}
                if local
                else (set(database.oids_exist(md5s)))
            )
        except Exception as error:
            raise self._unreachable(error) from error
        return sorted(md5s - there)

    def listing(self, md5: str, place: Place) -> dict[str, str]:
        """Files of a folder object: relative path -> MD5.

        Raises:
            FileNotFoundError: the folder's object is not there.
            GraftError: it is there and is not a folder's listing any more.
        """
        database = self._database(place)
        with database.fs.open(database.oid_to_path(md5), "rb") as file:
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
        hashes = hashlib.md5(usedforsecurity=False), hashlib.sha256()
        size = self._read(md5, place, hashes)
        return Digests(hashes[0].hexdigest(), hashes[1].hexdigest(), size)

    def sha256(self, md5: str, place: Place) -> str:
        """SHA-256 of an object's bytes, read to their end: thrice as fast as both digests. Raises like them."""
        digest = hashlib.sha256()
        self._read(md5, place, [digest])
        return digest.hexdigest()

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
        every = self.closure(md5s, "cache")
        new = self.missing(every, "remote")
        absent = self.missing(new, "cache")
        if absent:
            raise GraftError(
                f"{len(absent)} objects are neither in the cache nor in the remote",
                absent,
                help="dvc repro makes outputs again; dvc fetch brings data that a colleague pushed",
            )
        for batch in ([m for m in new if not m.endswith(".dir")], [m for m in new if m.endswith(".dir")]):
            self._transfer(batch, "cache", "remote")
        return new

    def check_out(self, md5: str, path: Path) -> None:
        """Lay an object of the cache into the working tree, as a link where the file system has them."""
        from dvc_data.hashfile import load
        from dvc_data.hashfile.checkout import checkout
        from dvc_data.hashfile.hash_info import HashInfo
        from dvc_objects.fs.local import localfs

        database = self._database("cache")
        path.parent.mkdir(parents=True, exist_ok=True)
        checkout(str(path.resolve()), localfs, load(database, HashInfo("md5", md5)), database, force=True, quiet=True)

    def add(self, path: Path) -> str:
        """Track a folder as `dvc add` does; returns its MD5."""
        with contextlib.redirect_stdout(io.StringIO()):  # DVC's hints about git add
            [stage] = self._repo.add([str(path)])
        return str(stage.outs[0].hash_info.value)

    def everything(self, place: Place) -> dict[str, int]:
        """Every object that a place holds: MD5 -> bytes."""
        database = self._database(place)
        try:
            if not database.fs.exists(database.path):
                return {}
            paths = list(database.fs.find(database.path))
            sizes = [info["size"] for info in database.fs.info(paths)]
        except Exception as error:
            raise self._unreachable(error) from error
        named = ["".join(path.split("/")[-2:]) for path in paths]
        return {md5: size for md5, size in zip(named, sizes, strict=True) if _OBJECT.fullmatch(md5)}

    def delete(self, md5s: Iterable[str], place: Place) -> None:
        """Delete objects; folder listings first, so that one that stays is whole."""
        database = self._database(place)
        for md5 in sorted(md5s, key=lambda name: not name.endswith(".dir")):
            with contextlib.suppress(FileNotFoundError):  # another one was faster
                database.fs.remove(database.oid_to_path(md5))

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
            with database.fs.open(self._note(name), "rb") as file:
                return bytes(file.read())
        except FileNotFoundError:
            return None
        except Exception as error:
            raise self._unreachable(error) from error

    def write_note(self, name: str, text: bytes) -> None:
        """Lay a text into the remote, in place of one of that name.

        Raises:
            GraftError: the remote is not set or cannot be reached.
        """
        database = self._database("remote")
        try:
            database.fs.makedirs(database.fs.parent(self._note(name)), exist_ok=True)
            with database.fs.open(self._note(name), "wb") as file:
                file.write(text)
        except Exception as error:
            raise self._unreachable(error) from error

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

    def _read(self, md5: str, place: Place, hashes: Iterable[Any]) -> int:
        """Feed an object's bytes to these hashes; returns how many there were."""
        database, size = self._database(place), 0
        try:
            with database.fs.open(database.oid_to_path(md5), "rb") as file:
                while chunk := file.read(1 << 20):
                    size += len(chunk)
                    for digest in hashes:
                        digest.update(chunk)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise self._unreachable(error) from error
        return size

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

    def _transfer(self, md5s: Iterable[str], source: Place, target: Place) -> None:
        from dvc_data.hashfile.hash_info import HashInfo
        from dvc_data.hashfile.transfer import transfer

        infos = {HashInfo("md5", md5) for md5 in md5s}
        if not infos:
            return
        try:
            result = transfer(self._database(source), self._database(target), infos, shallow=True, hardlink=False)
        except Exception as error:
            raise self._unreachable(error) from error
        if result.failed:
            raise GraftError(
                f"{source} -> {target}: {len(result.failed)} of {len(infos)} objects did not arrive",
                sorted(str(info.value) for info in result.failed),
                help="what arrived stays; run the same command again to go on",
            )

    def _database(self, place: Place) -> Any:
        if place == "cache":
            return self._repo.cache.local
        return self._remote

    @cached_property
    def _remote(self) -> Any:
        from dvc.config import ConfigError
        from dvc.exceptions import DvcException

        if self.remote_name() is None:
            raise GraftError(
                "no DVC remote is set",
                help="dvc remote add --default storage /path/or/url && git commit .dvc/config -m 'Add the remote'",
            )
        try:
            return self._repo.cloud.get_remote_odb(self.remote)
        except (ConfigError, DvcException) as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: BaseException) -> GraftError:
        if isinstance(error, GraftError):
            return error
        detail = str(error).splitlines()[0] if str(error) else type(error).__name__
        return GraftError(
            f"remote {self.remote_name()!r}: {detail}", help="dvc remote list shows where it points; nothing was tagged"
        )
