"""Which objects some commit of this repository ever named: only those can be this repository's garbage."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from pipeline.chain.commits import git
from pipeline.chain.store.objects import Store
from pipeline.chain.store.places import Place
from pipeline.common import files
from pipeline.garbage import copies, roots

# What an earlier run was about to delete: after a kill, listings may be gone whose files are still there.
JOURNAL = Path(".graft/gc.json")


def named() -> set[str]:
    """Every MD5 that a dvc.lock, models.lock or .dvc file names in any commit here."""
    blobs = git.ever_in(git.stashes().values(), *roots.PATTERNS)
    texts = git.contents(sorted(blobs)) if blobs else iter(())
    return roots.named_in(text for text in texts if text is not None)  # a version that is not here names nothing


def closure(held: Mapping[Place, Iterable[str]], store: Store, place: Place) -> set[str]:
    """What `named` gives, and the files of the folders among it as far as a right listing is at hand."""
    every, known = named(), set[str]()
    folders = {md5 for md5 in every if md5.endswith(".dir")}
    for where, objects in held.items():
        for md5, listing in copies.read((folders - known) & set(objects), store, where).items():
            every |= set(listing.files.values())
            known |= {md5} if not listing.problem else set()
    return every | set(_journal().get(_address(store, place), []))


def write_journal(store: Store, place: Place, md5s: Iterable[str]) -> None:
    """Record what is about to be deleted; nothing, once it is done."""
    journal = {**_journal(), _address(store, place): sorted(md5s)}
    if any(journal.values()):
        files.write_json(JOURNAL, journal)
    else:
        JOURNAL.unlink(missing_ok=True)


def _journal() -> dict[str, list[str]]:
    return dict(files.read_json(JOURNAL)) if JOURNAL.is_file() else {}


def _address(store: Store, place: Place) -> str:
    return str(store.places.database(place).path)
