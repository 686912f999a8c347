"""graft rollback: a new commit whose model is an earlier release."""

import click

from pipeline import terminal
from pipeline.chain.candidate import candidate, switching
from pipeline.chain.candidate.candidate import Tree
from pipeline.chain.commits import git, outputs
from pipeline.chain.history import releases
from pipeline.chain.history.releases import Release
from pipeline.chain.rebuild import remake
from pipeline.chain.release import publish, signing
from pipeline.chain.store.objects import Store
from pipeline.chain.verify import manifest_check
from pipeline.common import files
from pipeline.common.errors import GraftError
from pipeline.common.visible import one_line


@click.command()
@click.argument("version")
@click.option("--why", help="The reason, kept in the commit's message.")
@click.option("--tag", is_flag=True, help="Also tag it as a new patch version, for deployments that follow tags.")
@click.option("--push", is_flag=True, help="With --tag: push the branch and the tag to origin, both or neither.")
@click.option("--sign", metavar="KEY", help="With --tag: sign with this private key; else git's graft.signingKey.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON, and nothing else.")
def rollback(version: str, why: str | None, tag: bool, push: bool, sign: str | None, as_json: bool) -> None:
    """Go back to a release, in a new commit.

    History moves forward: the new commit holds the model, params and code of VERSION.

    Everything is fetched and verified first: with a cold cache or a corrupt remote the tree stays
    as it was. `git checkout VERSION && dvc pull` does the same for one working tree.

    \b
    Example:
      graft rollback v1.0.0 --why "returns of the spring titles doubled"
      graft rollback v1.0.0 --tag --push     a new patch version of the same bytes, published
    """
    if as_json:
        terminal.be_quiet()
    _usage(why, tag, push or bool(sign))
    tree, store = candidate.tree_of("HEAD"), Store()
    target = releases.find(version, tree.releases)
    there = tree.held is not None and tree.held.manifest == target.manifest and not git.changes()
    if tag and there and push and tree.held is not None and publish.left_behind(tree.held):
        terminal.echo(publish.push(tree.held.tag))  # tagged by a run that was killed before it could push
        return
    if not (tag and there):
        _require_clean(tree, target)
    if tag:
        _require_taggable(tree, target, push, sign)
    commit = _brought(target, store)
    if tag:
        _require_in_remote(target, commit, store)
    if not there:
        _roll_back(tree, target, commit, store, why)
    if tag:
        _tag(target, sign)
    _say_next(tag, push, version)
    if as_json:
        now = candidate.tree_of("HEAD")
        told = {"release": target.tag, "commit": git.head(), "tag": now.held.tag if tag and now.held else None}
        terminal.echo_json(told | {"withdrawn": sorted(set(now.withdrawn) - set(tree.withdrawn)), "published": push})


def _usage(why: str | None, tag: bool, publishes: bool) -> None:
    """Refuse options that do not go together, and to tag on a branch that releases are not tagged on."""
    if publishes and not tag:
        raise click.UsageError("--push and --sign go with --tag")
    if tag and (branch := git.branch()) != git.default_branch():
        where = f"on {branch}" if branch else "HEAD is detached"
        raise GraftError(
            f"nothing done: {where}, and releases are tagged on {git.default_branch()}",
            help=f"{git.default_branch_help()}; then again",
        )
    if why is not None and one_line(why) != why:
        raise GraftError("nothing done: --why: a newline or a control character", help="one line of words")


def _say_next(tag: bool, push: bool, version: str) -> None:
    """Publish it, or say how."""
    if push:
        held = candidate.tree_of("HEAD").held
        terminal.echo(publish.push(held.tag if held else version))
    elif tag:
        held = candidate.tree_of("HEAD").held
        new = held.tag if held else version
        terminal.echo(f"publish it: git push --atomic origin {git.default_branch()} {new}")
    elif git.branch() is None:
        terminal.echo("HEAD is detached: no branch holds this commit; git switch --create NAME keeps it")
    else:
        pull = "dvc pull --allow-missing && dvc repro merge" if manifest_check.read("HEAD").derived() else "dvc pull"
        terminal.echo(f"make it live: git push; a server that follows the branch runs {pull}")


def _brought(target: Release, store: Store) -> manifest_check.Commit:
    """Have every object of the target in the cache, with right bytes; the working tree is not touched.

    Raises:
        GraftError: something is nowhere, or not what was released.
    """
    commit = manifest_check.read(target.commit)
    store.fetch(commit.objects())
    made = remake.derived(target.commit, commit, store)
    if made:
        terminal.echo(f"made again: {', '.join(outputs.DERIVED)} of {target.tag}, which are on demand")
    findings = manifest_check.objects(commit, store, "cache")
    if findings:
        raise GraftError(
            f"not rolled back: {target.tag} is not intact",
            map(str, findings),
            help=f"what was made here has other bytes: use the environment of {target.tag}'s requirements.lock"
            if made
            else f"graft verify {target.tag} --remote",
        )
    terminal.echo(f"verified: {len(commit.manifest)} files of {target.tag} are in the cache")
    return commit


def _roll_back(tree: Tree, target: Release, commit: manifest_check.Commit, store: Store, why: str | None) -> None:
    switching.require_saved(target, commit, store)
    withdrawn = _withdrawn(tree, target)
    with switching.undone_on_failure(target, commit, store):
        switching.switch(target, commit, store)
        _record(tree, target, dict.fromkeys(withdrawn, why or ""))
        terminal.echo(f"switched: the working tree holds {target.tag}")
        git.run("commit", "--no-verify", "--message", _message(target.tag, withdrawn, why))
    terminal.echo(f"committed: {git.run('log', '-1', '--format=%h %s')}")


def _tag(target: Release, key: str | None) -> None:
    """Set a new patch version on HEAD."""
    commit, tree = manifest_check.read("HEAD"), candidate.tree_of("HEAD")
    tag = releases.format_tag(releases.next_version("patch", tree.releases, tree.other_tags))
    publish.set_tag(tag, commit, publish.signature(tag, key))
    terminal.echo(f"tagged: {tag}, the same bytes as {target.tag}")


def _require_clean(tree: Tree, target: Release) -> None:
    if tree.held is not None and tree.held.manifest == target.manifest and not git.changes():
        raise GraftError(f"the tree holds {target.tag} already", help="dvc checkout restores its files")
    ours = switching.interrupted(target)
    foreign = [line for line in git.changes() if line[3:] not in {*ours, candidate.WITHDRAWN.as_posix()}]
    if foreign:
        raise GraftError("uncommitted changes would be lost", foreign, help="commit or git stash them first")
    git.require_identity()


def _require_taggable(tree: Tree, target: Release, push: bool, key: str | None) -> None:
    """Refuse, before anything is committed, what could not be tagged or pushed afterwards."""
    newest = tree.releases[-1]
    if newest.manifest == target.manifest:
        raise GraftError(f"the newest release, {newest.tag}, holds these bytes already", help="git push --tags")
    if push and not git.has_origin():
        raise GraftError("nothing done: there is no remote origin to push to", help="git remote add origin URL")
    if push and publish.has_moved_on():
        raise GraftError(f"nothing done: origin's {git.default_branch()} has moved on", help="git pull, then again")
    if key != "keyless" and (key or signing.trusted()):
        publish.signature(newest.tag, key)  # fails here where there is no key, or a wrong one; the result is unused


def _require_in_remote(target: Release, commit: manifest_check.Commit, store: Store) -> None:
    absent = store.missing(store.closure(commit.objects(), "cache"), "remote")
    if absent:
        raise GraftError(
            f"nothing done: the remote lacks {len(absent)} objects of {target.tag}",
            absent,
            help="is the right remote mounted? dvc remote list; dvc push --all-tags brings there what is here",
        )


def _withdrawn(tree: Tree, target: Release) -> list[str]:
    """Releases that the tree stood on and will not any more."""
    kept = {target.tag, *(release.tag for release in releases.chain(target.lock, tree.releases))}
    return [release.tag for release in tree.line if release.tag not in kept]


def _record(tree: Tree, target: Release, withdrawn: dict[str, str]) -> None:
    """Say in withdrawn.json what is taken back, and no more of what the tree stands on again."""
    again = {target.tag, *(release.tag for release in releases.chain(target.lock, tree.releases))}
    now = {tag: why for tag, why in (tree.withdrawn | withdrawn).items() if tag not in again}
    if now != tree.withdrawn:
        files.write_json(candidate.WITHDRAWN, now)
        git.run("add", candidate.WITHDRAWN.as_posix())


def _message(version: str, withdrawn: list[str], why: str | None) -> str:
    trailers = "".join(f"Graft-Withdraws: {tag}\n" for tag in withdrawn)
    body = f"{why}\n\n" if why else ""
    return f"Roll back to {version}\n\n{body}Graft-Rollback-To: {version}\n{trailers}"
