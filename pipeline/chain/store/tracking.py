"""What DVC itself does with the working tree: track a folder, run stages, compare with dvc.lock."""

import contextlib
import io
from pathlib import Path
from typing import Any

from pipeline.chain.store import dvc_errors
from pipeline.chain.store.objects import Store


def add(store: Store, path: Path) -> str:
    """Track a folder as `dvc add` does; returns its MD5."""
    # DVC's hints about git add are left out.
    with contextlib.redirect_stdout(io.StringIO()), dvc_errors.translated(f"dvc add {path}", store.root):
        [stage] = store.repo.add([str(path)])
    return str(stage.outs[0].hash_info.value)


def reproduce(store: Store, dvc_file: Path | str) -> None:
    """Run `dvc repro` on one .dvc file, as its import or check asks, or on a stage.

    Raises:
        GraftError: DVC refused, or the stage failed.
    """
    what = f"dvc repro {dvc_file}"
    with contextlib.redirect_stdout(io.StringIO()), dvc_errors.translated(what, store.root):
        store.repo.reproduce([str(dvc_file)])


def stale(store: Store) -> dict[str, list[Any]]:
    """What `dvc status` says: stage -> why; empty when the pipeline is up to date.

    Raises:
        GraftError: DVC cannot tell.
    """
    with dvc_errors.translated("dvc status", store.root):
        return dict(store.repo.status())


def union(store: Store, folders: dict[str, str], path: Path) -> str:
    """Make one folder object out of several, each below its own name, and no copy of any file.

    Args:
        store: whose cache holds the folders' listings.
        folders: name in the union -> MD5 of the folder.
        path: where the union's `.dvc` file will stand, as for `dvc add PATH`.

    Returns:
        MD5 of the union, which the cache then holds.
    """
    from dvc_data.hashfile.db import add_update_tree
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_data.hashfile.tree import Tree

    database = store.repo.cache.local
    made = Tree()
    for name, md5 in folders.items():
        store.listing(md5, "cache")  # refuses a corrupt one, which DVC would believe
        tree = Tree.load(database, HashInfo("md5", md5))
        for key, (meta, info) in tree.as_dict().items():
            made.add((name, *key), meta, info)
    made.digest()
    made = add_update_tree(database, made)
    store.check_out(made.oid, path)
    return add(store, path)
