"""params.yaml's `gate.anchor` -> models.lock's anchor: a release's tag, resolved to hashes."""

from pipeline.chain.candidate import candidate
from pipeline.chain.candidate.candidate import Tree
from pipeline.chain.commits import git, outputs
from pipeline.chain.lock.lockfile import Anchor, LockedBase
from pipeline.chain.store.objects import Store
from pipeline.chain.store.places import Place
from pipeline.common.errors import GraftError
from pipeline.settings import effective

HELP = "set gate.anchor in params.yaml to null or to another release, then graft lock"


def resolve(tree: Tree, base: LockedBase | None = None) -> Anchor | None:
    """The anchor that params.yaml asks for.

    An anchor that models.lock holds already stays, also where this clone lacks its tag: its hashes are enough.

    Args:
        tree: where the working tree stands.
        base: the base that the candidate stands on; the lock's for None.

    Raises:
        GraftError: no such release, or it was withdrawn, never published, or trained on another base.
    """
    asked: str | None = effective.load()["gate"]["anchor"]
    if asked is None:
        return None
    if (found := _found(asked, tree, base or tree.lock.base)) != tree.lock.anchor:
        _require_published(found)
    return found


def differences(tree: Tree) -> list[str]:
    """What params.yaml or git say of the anchor and models.lock does not, one line each; no remote is asked."""
    asked, locked = effective.load()["gate"]["anchor"], tree.lock.anchor
    pinned = locked.release if locked else None
    if asked != pinned:
        return [f"params.yaml: gate.anchor: locked {pinned or 'none'}, asked {asked or 'none'}"]
    release = next((release for release in tree.releases if release.tag == asked), None)
    if locked is None or release is None:
        return []
    if tree.held is None and release.tag in tree.withdrawn:
        return [f"params.yaml: gate.anchor: {release.tag} was withdrawn"]
    now = candidate.state_of(release, outputs.ANCHOR)
    return [
        f"anchor: {path}: locked {locked.state[path]['md5']}, {release.tag} has {now[path]['md5']}"
        for path in outputs.ANCHOR
        if locked.state[path] != now[path]
    ]


def _found(asked: str, tree: Tree, base: LockedBase) -> Anchor:
    """The anchor, from what git holds."""
    release = next((release for release in tree.releases if release.tag == asked), None)
    if release is None:
        pinned, same_base = tree.lock.anchor, base.resolved.sha256 == tree.lock.base.resolved.sha256
        if pinned is not None and pinned.release == asked and same_base:
            return pinned
        known = ", ".join(release.tag for release in tree.releases) or "none"
        raise GraftError(
            f"gate.anchor: {asked} is no release", [f"known: {known}"], help=f"git fetch --tags; or {HELP}"
        )
    if asked in tree.withdrawn:
        why = tree.withdrawn[asked]
        raise GraftError(f"gate.anchor: {asked} was withdrawn{f': {why}' if why else ''}", help=HELP)
    if release.lock.base.resolved.sha256 != base.resolved.sha256:
        raise GraftError(
            f"gate.anchor: {asked} was trained on another base: its adapter fits no candidate on this one", help=HELP
        )
    return Anchor(release=asked, state=candidate.state_of(release, outputs.ANCHOR))


def _require_published(anchor: Anchor) -> None:
    """Refuse an anchor that colleagues could not bring: origin lacks its tag, or the remote its state."""
    if git.has_origin() and anchor.release not in git.remote_tags(anchor.release):
        raise GraftError(
            f"gate.anchor: {anchor.release} is not published: it is a tag here and not on origin",
            help=f"git push --atomic origin {git.default_branch()} {anchor.release}",
        )
    store = Store()
    md5s = [output["md5"] for output in anchor.state.values()]
    place: Place = "remote" if store.remote_name() else "cache"
    if absent := store.missing(md5s, place):
        raise GraftError(
            f"gate.anchor: {anchor.release} is not published: the {place} lacks parts of its state",
            absent,
            help=f"dvc push from a clone that has {anchor.release}; graft verify {anchor.release} --remote",
        )
