"""graft rollback: a new commit whose model is an earlier release."""

from pathlib import Path

import click

from pipeline import files, terminal
from pipeline.chain import candidate, git, outputs, publish, releases, remake, verify
from pipeline.chain.candidate import Tree
from pipeline.chain.releases import Release
from pipeline.chain.store import Store
from pipeline.errors import GraftError

# What makes and describes a model; docs/, .github/ and tests stay as they are.
MODEL = (
    ".dvcignore",
    "dvc.lock",
    "dvc.yaml",
    "models.lock",
    "params.yaml",
    "requirements.lock",
    "data/golden",
    "examples/base",
    "pipeline",
    "reports",
    "schemas",
)


@click.command()
@click.argument("version")
@click.option("--why", help="The reason, kept in the commit's message.")
@click.option("--tag", is_flag=True, help="Also tag it as a new patch version, for deployments that follow tags.")
@click.option("--push", is_flag=True, help="With --tag: push the branch and the tag to origin, both or neither.")
@click.option("--sign", metavar="KEY", help="With --tag: sign with this private key; else git's graft.signingKey.")
def rollback(version: str, why: str | None, tag: bool, push: bool, sign: str | None) -> None:
    """Go back to a release, in a new commit.

    History moves forward: the new commit holds the model, params and code of VERSION.

    Everything is fetched and verified first: with a cold cache or a corrupt remote the tree stays
    as it was. `git checkout VERSION && dvc pull` does the same for one working tree.

    \b
    Example:
      graft rollback v1.0.0 --why "returns of the spring titles doubled"
      graft rollback v1.0.0 --tag --push     a new patch version of the same bytes, published
    """
    if (push or sign) and not tag:
        raise click.UsageError("--push and --sign go with --tag")
    if tag and git.branch() != git.default_branch():
        raise GraftError(f"nothing done: releases are tagged on {git.default_branch()}", help="git switch, then again")
    tree, store = candidate.tree_of("HEAD"), Store()
    target = releases.find(version, tree.releases)
    there = tree.held is not None and tree.held.manifest == target.manifest
    if not (tag and there and not git.changes()):
        _roll_back(tree, target, store, why)
    elif tree.held is not None and push and publish.left_behind(tree.held):
        terminal.echo(publish.push(tree.held.tag))  # tagged by a run that was killed before it could push
        return
    if tag:
        _tag(target, store, sign)
    if push:
        held = candidate.tree_of("HEAD").held
        terminal.echo(publish.push(held.tag if held else version))
    elif tag:
        terminal.echo(f"publish it: git push --atomic origin {git.default_branch()} TAG")
    else:
        pull = "dvc pull --allow-missing && dvc repro merge" if verify.read("HEAD").derived() else "dvc pull"
        terminal.echo(f"make it live: git push; a server that follows the branch runs {pull}")


def _roll_back(tree: Tree, target: Release, store: Store, why: str | None) -> None:
    _check(tree, target)
    commit = verify.read(target.commit)
    store.fetch(commit.objects())
    made = remake.derived(target.commit, commit, store)
    if made:
        terminal.echo(f"made again: {', '.join(outputs.DERIVED)} of {target.tag}, which are on demand")
    findings = verify.objects(commit, store, "cache")
    if findings:
        raise GraftError(
            f"not rolled back: {target.tag} is not intact",
            map(str, findings),
            help=f"what was made here has other bytes: use the environment of {target.tag}'s requirements.lock"
            if made
            else f"graft verify {target.tag} --remote",
        )
    terminal.echo(f"verified: {len(commit.manifest)} files of {target.tag} are in the cache")
    withdrawn = _withdrawn(tree, target)
    _switch(target, commit, store)
    _record(tree, target, dict.fromkeys(withdrawn, why or ""))
    terminal.echo(f"switched: the working tree holds {target.tag}")
    git.run("commit", "--no-verify", "--message", _message(target.tag, withdrawn, why))
    terminal.echo(f"committed: {git.run('log', '-1', '--format=%h %s')}")


def _tag(target: Release, store: Store, key: str | None) -> None:
    """Set a new patch version on HEAD, once the remote is known to hold every byte of it."""
    tree = candidate.tree_of("HEAD")
    newest = tree.releases[-1]
    if newest.manifest == target.manifest:
        raise GraftError(f"the newest release, {newest.tag}, holds these bytes already", help="git push --tags")
    commit = verify.read("HEAD")
    absent = store.missing(store.closure(commit.objects(), "cache"), "remote")
    if absent:
        raise GraftError(
            f"not tagged: the remote lacks {len(absent)} objects of {target.tag}", absent, help="dvc push, then again"
        )
    tag = releases.format_tag(releases.next_version("patch", tree.releases))
    publish.set_tag(tag, commit, publish.signature(tag, key))
    terminal.echo(f"tagged: {tag}, the same bytes as {target.tag}")


def _check(tree: Tree, target: Release) -> None:
    if tree.held is not None and tree.held.manifest == target.manifest and not git.changes():
        raise GraftError(f"the tree holds {target.tag} already", help="dvc checkout restores its files")
    ours = _interrupted(target)
    foreign = [line for line in git.changes() if line[3:] not in {*ours, candidate.WITHDRAWN.as_posix()}]
    if foreign:
        raise GraftError("uncommitted changes would be lost", foreign, help="commit or git stash them first")


def _interrupted(target: Release) -> set[str]:
    """Changed paths that already are what the target holds: an earlier rollback was killed here."""
    changed = {line[3:] for line in git.changes()}
    paths = (*MODEL, target.lock.increment)
    differs = git.run("diff", "--name-only", target.commit, "--", *paths).splitlines()
    inside = {path for path in changed if any(path == p or path.startswith(f"{p}/") for p in paths)}
    return inside - set(differs)


def _switch(target: Release, commit: verify.Commit, store: Store) -> None:
    paths = [*MODEL, target.lock.increment]
    there = [path for path in paths if _exists(path, target.commit) or _exists(path, "HEAD")]
    git.run("restore", "--source", target.commit, "--staged", "--worktree", "--", *there)
    for output in commit.outputs:
        if output.cached:
            store.check_out(output.md5, Path(output.path))
    if commit.raw:
        store.check_out(commit.raw, Path(target.lock.increment, "raw"))


def _exists(path: str, commit: str) -> bool:
    return bool(git.run("ls-tree", "--name-only", commit, "--", path))


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
