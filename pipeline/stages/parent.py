"""parent: models.lock's parent -> models/parent, by hash from the cache or the remote

By hash and not by commit, so that it works in a depth-1 clone and after a squash merge.
The files are links into the cache: later stages read them and never write there.
"""

import hashlib
from pathlib import Path

from pipeline import errors, files
from pipeline.chain import lockfile, reindex
from pipeline.chain.store import Store
from pipeline.errors import GraftError

OUT = Path("models/parent")


def main() -> None:
    """Lay the parent's state out, each output under its last name; `NONE` before the first release."""
    parent = lockfile.load().parent
    files.empty_dir(OUT)
    if parent is None:
        (OUT / "NONE").write_text("This candidate has no parent: there is no release before it.\n")
        print("parent: none before the first release")
        return
    store = Store()
    bring(parent, store, OUT)
    if not reindex.is_current(OUT / "index"):
        reindex.make_again(parent, store, files.empty_dir(OUT / "index"))
    print(f"parent: {parent.release}, {len(parent.state)} outputs verified")


def bring(parent: lockfile.Parent, store: Store, out: Path) -> None:
    """Fetch, check out and verify a parent's state.

    Raises:
        GraftError: an object is nowhere to be had, or its bytes are not what models.lock names.
    """
    md5s = {path: output["md5"] for path, output in parent.state.items()}
    store.fetch(md5s.values())
    corrupt = []
    for path, md5 in md5s.items():
        target = out / Path(path).name
        store.check_out(md5, target)
        expected = store.listing(md5, "cache") if md5.endswith(".dir") else {"": md5}
        corrupt += [
            f"{target / name}: expected md5 {want}, found {found}"
            for name, want in expected.items()
            if (found := _md5(target / name)) != want
        ]
    if corrupt:
        files.empty_dir(out)
        raise GraftError(
            f"the cache holds corrupt bytes of {parent.release}",
            corrupt,
            help="delete the named objects from .dvc/cache/files/md5 and run `dvc fetch`",
        )


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


if __name__ == "__main__":
    errors.run(main)
