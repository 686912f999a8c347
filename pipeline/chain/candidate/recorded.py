"""Whether dvc.lock and reports/manifest.json name the same bytes, as far as git alone can tell.

DVC believes its lock file: one that names another release's adapter, by a bad merge or by hand, is current to it, and
`dvc pull` brings that adapter. The manifest names the same outputs by SHA-256, so the two can be compared through a
release that both know: an output is that release's in dvc.lock exactly where it is in the manifest.
"""

from pathlib import Path

from pipeline.chain.candidate.candidate import Tree
from pipeline.chain.commits import manifest_file, outputs
from pipeline.chain.commits.manifest_file import Digest
from pipeline.chain.commits.outputs import Output
from pipeline.chain.history.releases import Release
from pipeline.chain.verify import manifest_check
from pipeline.common.errors import GraftError

WAY_OUT = "git log -p dvc.lock; git restore brings the right one back, or dvc repro --force makes the outputs again"


def differences(tree: Tree) -> dict[str, str]:
    """What dvc.lock says of the working tree's outputs and the manifest does not: path -> a line.

    Only of a finished pipeline: while stages are stale, the manifest is older than dvc.lock.
    """
    paths = [Path("dvc.yaml"), Path("dvc.lock"), manifest_file.PATH]
    if not all(path.is_file() for path in paths):
        return {}
    dvc_yaml, dvc_lock, listed = (path.read_bytes() for path in paths)
    here, digests = outputs.read(dvc_yaml, dvc_lock), manifest_file.parse(listed)
    found = _of_parent_copy(tree, here, digests)
    for release in _compared(tree):
        try:
            found |= _against(release.tag, here, digests, manifest_check.read(release.commit, release.tag))
        except GraftError:  # another release's broken file: graft log and graft verify name it
            continue
    return found


def _compared(tree: Tree) -> list[Release]:
    """The releases nearest to the tree: a lock of another one is most often one of theirs."""
    parent = [release for release in tree.line if release is not tree.held][:1]
    named = [*parent, *(release for release in (tree.sibling, tree.latest) if release and release is not tree.held)]
    return list({release.tag: release for release in named}.values())


def _against(tag: str, here: list[Output], digests: dict[str, Digest], there: manifest_check.Commit) -> dict[str, str]:
    theirs = {output.path: output.md5 for output in there.outputs}
    return {
        output.path: _line(output.path, tag)
        for output in here
        if output.cached
        and output.md5 == theirs.get(output.path)
        and _files(output.path, digests) != _files(output.path, there.manifest)
    }


def _of_parent_copy(tree: Tree, here: list[Output], digests: dict[str, Digest]) -> dict[str, str]:
    """As `_against`, from models/parent alone: where this clone lacks the parent's tag."""
    parent = tree.lock.parent
    state = {path: entry["md5"] for path, entry in parent.state.items()} if parent else {}
    return {
        output.path: _line(output.path, parent.release)
        for output in here
        if parent
        and state.get(output.path) == output.md5
        and output.path != outputs.INDEX  # may be made again from the chain's records
        and _files(output.path, digests) != _files(f"models/parent/{Path(output.path).name}", digests)
    }


def _files(path: str, digests: dict[str, Digest]) -> dict[str, str]:
    """Relative path -> SHA-256 of an output's files."""
    return {name.removeprefix(path): entry["sha256"] for name, entry in digests.items() if outputs.below(name, [path])}


def _line(path: str, tag: str) -> str:
    return f"dvc.lock: {path} is {tag}'s, and reports/manifest.json lists other bytes"
