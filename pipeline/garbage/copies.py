"""Finds the right copy of a folder's listing: in the places that are cleaned, else wherever this clone can look."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.chain.store.listing import Listing
from pipeline.chain.store.objects import Store
from pipeline.chain.store.places import Place
from pipeline.common.errors import GraftError


@dataclass(frozen=True, kw_only=True, slots=True)
class Copies:
    """The listings of many folders, from whatever place has the right bytes."""

    files: dict[str, list[str]]  # folder -> MD5 of each of its files
    corrupt: dict[str, dict[str, str]]  # folder -> where its listing is corrupt -> what was found there


def read(folders: Iterable[str], store: Store, place: Place) -> dict[str, Listing]:
    """What a place holds under these names, read side by side; those that are not there are left out."""

    def listing(md5: str) -> tuple[str, Listing | None]:
        try:
            return md5, store.read_listing(md5, place)
        except FileNotFoundError:
            return md5, None

    found = store.places.side_by_side(listing, sorted(folders), place)
    return {md5: there for md5, there in found if there is not None}


def find(
    folders: set[str],
    store: Store,
    held: Mapping[Place, Iterable[str]],
    needed: Iterable[str],
    trees: Iterable[Path],
) -> Copies:
    """Read every copy in the places that are cleaned, and look elsewhere for what has no right one there.

    Args:
        folders: MD5s of folders; inputs that DVC never stored may be among them.
        store: the repository's objects.
        held: the places that are cleaned -> the objects that they hold.
        needed: the folders whose listing must be found.
        trees: this repository's working trees, whose own caches come last.
    """
    made = Copies(files={}, corrupt={})
    for place, objects in held.items():
        _collect(made, place, read(folders & set(objects), store, place))
    wanted = {*needed} | made.corrupt.keys()
    for name, other, place in _elsewhere(store, held, trees):
        left = wanted - made.files.keys()
        if not left:
            break
        _collect(made, name, read(left, other, place))
    return made


def require(needed: Mapping[str, str], made: Copies) -> None:
    """Refuse where a folder's content cannot be known.

    Args:
        needed: folder -> the name of a candidate that needs it.
        made: what was found.

    Raises:
        GraftError: its listing is corrupt wherever it is, or is nowhere, each folder named.
    """
    corrupt = {md5: places for md5, places in made.corrupt.items() if md5 not in made.files}
    problems = [
        f"{needed.get(md5, 'an input')}: folder listing {md5} is corrupt in {place}: found {found}"
        for md5, places in corrupt.items()
        for place, found in places.items()
    ]
    absent = needed.keys() - made.files.keys() - corrupt.keys()
    problems += [f"{needed[md5]}: folder listing {md5} is neither in the cache nor in a remote" for md5 in absent]
    if problems:
        raise GraftError(
            "folders whose listing is lost: what they hold cannot be told from garbage",
            sorted(problems),
            help="bring back the right listing: delete a corrupt one, then dvc push from a clone that has it, or dvc "
            "repro; or give up what needs it (git tag -d, git branch -D, git stash drop)",
        )


def notes(made: Copies) -> list[str]:
    """What is corrupt in one place and right in another, one line each."""
    return [
        f"{place}: folder listing {md5} is corrupt (found {found}); the right copy of another place was used; "
        "graft verify RELEASE --remote names what it is of"
        for md5, places in sorted(made.corrupt.items())
        if md5 in made.files
        for place, found in places.items()
    ]


def _collect(made: Copies, name: str, listings: Mapping[str, Listing]) -> None:
    for md5, listing in listings.items():
        if listing.problem:
            made.corrupt.setdefault(md5, {})[name] = listing.problem
        else:
            made.files[md5] = list(listing.files.values())


def _elsewhere(store: Store, cleaned: Iterable[Place], trees: Iterable[Path]) -> Iterator[tuple[str, Store, Place]]:
    """Every other place where this repository keeps objects: cache, default remote, other remotes, other trees."""
    if "cache" not in cleaned:
        yield "cache", store, "cache"
    default = store.remote_name()
    if "remote" not in cleaned and default is not None:
        yield "remote", store, "remote"
    for name in store.repo.config["remote"]:
        if name != default:
            yield f"remote {name}", Store(store.root, remote=name), "remote"
    for folder in trees:
        if folder != Path.cwd():
            yield f"cache of {folder}", Store(folder), "cache"
