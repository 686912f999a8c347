"""DVC's cache and remote of one repository, opened when first needed; what fails there becomes one GraftError."""

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

from pipeline.chain.store import dvc_errors, faults
from pipeline.common.errors import GraftError

Place = Literal["cache", "remote"]
T = TypeVar("T")
logging.getLogger("dvc").setLevel(logging.ERROR)
logging.getLogger("dvc_data").setLevel(logging.CRITICAL)  # failed transfers are named by us, once
logging.getLogger("dvc_objects").setLevel(logging.CRITICAL)


@dataclass
class Places:
    """Where the objects of one repository are.

    Args:
        root: folder that holds .dvc/.
        remote: name of the DVC remote; the default one for None.
    """

    root: Path
    remote: str | None

    @cached_property
    def repo(self) -> Any:
        """DVC's own view of the repository."""
        from dvc.repo import Repo

        with dvc_errors.translated("dvc", self.root):
            repo = Repo(str(self.root))
            repo.config  # noqa: B018 - read now, so that what is wrong with it is named here
            return repo

    def remote_name(self) -> str | None:
        """Name of the remote; None when the team has not set one."""
        name: str | None = self.remote or self.repo.config["core"].get("remote")
        return name

    def database(self, place: Place) -> Any:
        """DVC's object database of a place.

        Raises:
            GraftError: the remote is not set, or its folder is not there.
        """
        return self.repo.cache.local if place == "cache" else self._remote

    @cached_property
    def _remote(self) -> Any:
        if self.remote_name() is None:
            raise GraftError(
                "no DVC remote is set",
                help="dvc remote add --default storage /path/or/url && git commit .dvc/config -m 'Add the remote'",
            )
        with self.errors("remote"):
            database = self.repo.cloud.get_remote_odb(self.remote)
        folder = Path(database.path).parents[1]  # objects are in files/md5 below it
        if database.fs.protocol == "local" and not folder.is_dir():  # DVC would make one, on this disk
            raise GraftError(
                f"remote {self.remote_name()!r} ({folder}): no such folder: is it mounted?",
                help=f"mount it, or correct the path (dvc remote list); the folder of a new remote: mkdir -p {folder}",
            )
        return database

    def sizes(self, md5s: Iterable[str], place: Place) -> dict[str, int | None]:
        """Bytes of those of the objects that are there; None where the remote does not say.

        No listing of the place is read: it would grow with history. (And a local database's own
        oids_exist deletes what it takes for corrupt.) Without objects, only the place itself is looked up.
        """
        database = self.database(place)
        md5s = list(md5s)
        paths = [database.oid_to_path(md5) for md5 in md5s] or [database.path]
        with self.errors(place):
            infos = database.fs.info(paths, return_exceptions=True)
            for info in infos:
                if isinstance(info, Exception) and not faults.is_absence(info):
                    raise info
        return {m: info.get("size") for m, info in zip(md5s, infos, strict=False) if not isinstance(info, Exception)}

    def read(self, md5: str, place: Place, hashes: Iterable[Any], count: Callable[[int], object]) -> int:
        """Feed an object's bytes to these hashes; returns how many there were. FileNotFoundError comes through."""
        database, size = self.database(place), 0
        with self.errors(place, FileNotFoundError), database.fs.open(database.oid_to_path(md5), "rb") as file:
            while chunk := file.read(1 << 20):
                size += len(chunk)
                count(len(chunk))
                for digest in hashes:
                    digest.update(chunk)
        return size

    def side_by_side(self, work: Callable[[str], T], md5s: Iterable[str], place: Place) -> list[T]:
        """Results of `work`, in as many threads as the remote's `jobs`: a remote answers late, not slowly."""
        with self.errors(place), ThreadPoolExecutor(self.database(place).fs.jobs) as pool:
            try:
                return list(pool.map(work, md5s))
            except BaseException:
                pool.shutdown(cancel_futures=True)  # the first error is enough
                raise

    @contextlib.contextmanager
    def errors(self, place: Place, *through: type[Exception]) -> Iterator[None]:
        """Turn whatever DVC and its plug-ins raise into one GraftError, except the types that may pass `through`."""
        try:
            yield
        except Exception as error:
            if isinstance(error, (GraftError, *through)):
                raise
            raise self.fault(error, place) from error

    def fault(self, error: BaseException, place: Place, problems: Iterable[str] = ()) -> GraftError:
        """The error that names the place and what failed there."""
        if place == "cache":
            return faults.fault(f"DVC's cache ({self.database('cache').path})", {}, error, problems)
        name = self.remote_name()
        settings = self.repo.config["remote"].get(name, {})
        return faults.fault(f"remote {name!r} ({settings.get('url')})", settings, error, problems)
