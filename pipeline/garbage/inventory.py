"""Every object that a place holds, with its age and use; and how objects are deleted there."""

import contextlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipeline.chain.store.objects import Store
from pipeline.chain.store.places import Place
from pipeline.common.errors import GraftError

_OBJECT = re.compile(r"[0-9a-f]{32}(\.dir)?")
# When an object was last written, by the names that file systems have for it. A local file's `created` is its
# ctime: a file moved into the cache keeps the mtime of the day that somebody wrote it.
_WRITTEN = ("mtime", "created", "LastModified", "last_modified", "modified", "updated")


@dataclass(frozen=True, slots=True)
class HeldObject:
    """One object in one place."""

    size: int
    written: float | None  # seconds since 1970; None where the place does not say
    linked: bool  # a working tree has it as a hard link, so that deleting it frees nothing


def everything(store: Store, place: Place) -> dict[str, HeldObject]:
    """Every object that a place holds, by MD5.

    Raises:
        GraftError: the place cannot be reached.
    """
    database = store.places.database(place)
    fs, top = database.fs, database.path
    with store.places.errors(place):
        if not fs.exists(top):
            return {}
        local = fs.protocol == "local"
        infos = {path: fs.info(path) for path in fs.find(top)} if local else fs.fs.find(top, detail=True)
    named = {"".join(path.split("/")[-2:]): info for path, info in infos.items()}
    return {md5: _held(info) for md5, info in named.items() if _OBJECT.fullmatch(md5)}


def delete(store: Store, md5s: Iterable[str], place: Place) -> None:
    """Delete objects; folder listings first, so that one that stays is whole.

    Raises:
        GraftError: the place failed; what was deleted before is gone.
    """
    database = store.places.database(place)

    def remove(md5: str) -> None:
        with contextlib.suppress(FileNotFoundError):  # another one was faster
            database.fs.rm_file(database.oid_to_path(md5))

    md5s = set(md5s)
    listings = {md5 for md5 in md5s if md5.endswith(".dir")}
    try:
        for batch in (listings, md5s - listings):
            store.places.side_by_side(remove, batch, place)
    except GraftError as error:
        done = f"{place}: a part of the garbage is deleted, nothing that is needed; run it again to go on"
        raise GraftError(error.message, [*error.problems, done], help=error.help) from error


def _held(info: Mapping[str, Any]) -> HeldObject:
    times = [time for name in _WRITTEN if (time := _seconds(info.get(name))) is not None]
    return HeldObject(size=info["size"], written=max(times, default=None), linked=info.get("nlink", 1) > 1)


def _seconds(value: object) -> float | None:
    """Seconds since 1970 of what a file system calls a time."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    return float(value) if isinstance(value, int | float) else None
