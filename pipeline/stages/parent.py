"""parent: models.lock's parent -> models/parent, its anchor -> models/anchor, by hash from the cache or the remote

By hash and not by commit, so that it works in a depth-1 clone and after a squash merge.
The files are links into the cache: later stages read them and never write there.
"""

from pathlib import Path

from pipeline.chain import reindex
from pipeline.chain.lock import lockfile
from pipeline.chain.lock.lockfile import Anchor, LockedParent
from pipeline.chain.store.objects import Store
from pipeline.common import errors, files, params
from pipeline.common.errors import GraftError

OUT = Path("models/parent")
ANCHOR = Path("models/anchor")


def main() -> None:
    """Lay out the states of parent and anchor, each output under its last name; `NONE` where there is none."""
    lock, store = lockfile.load(), Store()
    require_current(params.load_all()["gate"]["anchor"], lock.anchor)
    lay_out(lock.parent, store, OUT)
    if lock.parent is not None and not reindex.is_current(OUT / "index"):
        reindex.make_again(lock.parent, store, files.empty_dir(OUT / "index"))
    lay_out(lock.anchor, store, ANCHOR)
    print(f"parent: {_said(lock.parent) if lock.parent else 'none before the first release'}")
    print(f"anchor: {_said(lock.anchor) if lock.anchor else 'none'}")


def require_current(asked: str | None, locked: lockfile.Anchor | None) -> None:
    """Refuse to bring another anchor than the one that params.yaml names.

    Raises:
        GraftError: models.lock was resolved for another one.
    """
    pinned = locked.release if locked else None
    if asked != pinned:
        difference = f"gate.anchor: params.yaml asks for {asked or 'none'}, models.lock holds {pinned or 'none'}"
        raise GraftError("models.lock is older than params.yaml", [difference], help="graft lock")


def lay_out(release: LockedParent | Anchor | None, store: Store, out: Path) -> None:
    """Make the folder of a release's state anew; raises like `bring`."""
    files.empty_dir(out)
    if release is None:
        (out / "NONE").write_text(f"This candidate has no {out.name}.\n")
    else:
        bring(release, store, out)


def bring(release: LockedParent | Anchor, store: Store, out: Path) -> None:
    """Fetch, check out and verify a release's state.

    Raises:
        GraftError: an object is nowhere to be had, or its bytes are not what models.lock names.
    """
    md5s = {path: output["md5"] for path, output in release.state.items()}
    store.fetch(md5s.values())
    corrupt = []
    for path, md5 in md5s.items():
        target = out / Path(path).name
        store.check_out(md5, target)
        expected = store.listing(md5, "cache") if md5.endswith(".dir") else {"": md5}
        corrupt += [
            f"{target / name}: expected md5 {want}, found {found}"
            for name, want in expected.items()
            if (found := files.md5(target / name)) != want
        ]
    if corrupt:
        files.empty_dir(out)
        raise GraftError(
            f"the cache holds corrupt bytes of {release.release}",
            corrupt,
            help="delete the named objects from .dvc/cache/files/md5 and run `dvc fetch`",
        )


def _said(release: LockedParent | Anchor) -> str:
    return f"{release.release}, {len(release.state)} outputs verified"


if __name__ == "__main__":
    errors.run(main)
