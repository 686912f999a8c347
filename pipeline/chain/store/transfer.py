"""Copies objects between cache and remote, and says what arrived when one fails."""

from pipeline.chain.store import faults, progress
from pipeline.chain.store.places import Place, Places


def copy(places: Places, md5s: list[str], source: Place, target: Place) -> None:
    """Copy objects that are in `source` over those of `target`, small ones first, until one fails.

    Raises:
        GraftError: one failed; how many arrived before it is named.
    """
    sizes = places.sizes(md5s, source) if md5s else {}
    todo = sorted(sizes, key=lambda md5: (sizes[md5] or 0, md5))
    jobs = places.database("remote").fs.jobs
    with progress.shown("pushing" if target == "remote" else "fetching", total(sizes)) as count:
        for start in range(0, len(todo), jobs):  # all at once would go on failing long after the first fault
            try:
                _copy(places, todo[start : start + jobs], source, target, progress.Bytes(count))
            except Exception as error:
                place = target if faults.is_of_disk(error) else "remote"
                raise places.fault(error, place, [f"at least {start} of {len(todo)} objects arrived"]) from error


def total(sizes: dict[str, int | None]) -> int:
    """Bytes of all, as far as the remote says."""
    return sum(filter(None, sizes.values()))


def _copy(places: Places, md5s: list[str], source: Place, target: Place, callback: progress.Bytes) -> None:
    giver, taker = places.database(source), places.database(target)
    paths = [giver.oid_to_path(md5) for md5 in md5s]
    try:
        # With a handler for errors, DVC would keep the part that came of an object under its full name.
        taker.add(paths, giver.fs, md5s, check_exists=False, batch_size=len(md5s), callback=callback)
    except Exception:
        for path in [taker.oid_to_path(md5) for md5 in places.sizes(md5s, "cache")] if target == "cache" else []:
            taker.protect(path)
        raise
