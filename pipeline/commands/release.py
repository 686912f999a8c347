"""graft release: check, push, read back, tag. No stage runs and no commit is made."""

from pathlib import Path, PurePosixPath
from typing import Any

import click

from pipeline import terminal
from pipeline.chain.candidate import candidate, staleness, unkept
from pipeline.chain.candidate.candidate import Tree
from pipeline.chain.commits import git, outputs
from pipeline.chain.commits.manifest_file import Digest
from pipeline.chain.history import releases
from pipeline.chain.release import publish, required, serving_limits
from pipeline.chain.store.objects import Store
from pipeline.chain.verify import commit_inputs, manifest_check, recomputed, restoring, rule_changes
from pipeline.common import documents, files, words
from pipeline.common.errors import GraftError
from pipeline.report import rule_words
from pipeline.settings import effective

HELP_DIRTY = "git add and commit, or git restore"
HELP_CHAIN = "graft log shows the chain; graft plan says where this tree is in it"


@click.command()
@click.argument("version", default="minor", metavar="[VERSION|major|minor|patch]")
@click.option("--push", is_flag=True, help="Push the branch and the tag to origin, both or neither.")
@click.option("--sign", metavar="KEY", help="Sign with this private key, or `keyless`; else git's graft.signingKey.")
@click.option("--json", "as_json", is_flag=True, help="Print what was released as JSON, and nothing else.")
def release(version: str, push: bool, sign: str | None, as_json: bool) -> None:
    """Publish the committed candidate as a tag.

    Its outputs are pushed to the DVC remote and read back before the tag is set. What differs from
    what the parent was judged by (rules, golden items, code) is named first. Refuses unless the
    tree is clean, on the default branch and not behind origin, the pipeline is up to date, the
    verdict is pass, and the weights are new. Killed at any moment, it can be run again.

    \b
    Example:
      graft release              the next minor version (the first one is v1.0.0)
      graft release v2.0.0 --push
    """
    if as_json:
        terminal.be_quiet()
    tree, store = candidate.tree(), Store()
    if push and tree.held is not None and publish.left_behind(tree.held):
        terminal.echo(publish.push(tree.held.tag))  # tagged by a run that was killed before it could push
        return
    candidate.require_history(tree)
    tag = releases.format_tag(releases.next_version(version, [*tree.releases, *tree.unreadable], tree.other_tags))
    if tree.other_tags:
        terminal.echo(f"note: {releases.named(tree.other_tags)}", err=True)
    commit = _checked(tag, tree, store)
    terminal.echo(*rule_words.named(rule_changes.judged(), files.read_json(Path("reports/verdict.json"))))
    wanted = required.level(_parent(tree))
    for line in required.check(commit, wanted):
        terminal.echo(line)
    signed = publish.signature(tag, sign)
    terminal.echo("checked: clean, up to date, verdict recomputed: pass, every SHA-256 as in the manifest")
    pushed = store.push(commit.objects())
    terminal.echo(f"pushed: {words.counted(len(pushed), 'new object')} to remote {store.remote_name()!r}")
    if commit.derived():
        terminal.echo("on demand: not pushed, dvc repro merge makes them: " + ", ".join(outputs.DERIVED))
    count = _read_back(commit, tree, store, pushed)
    terminal.echo(f"read back: {words.counted(count, 'object')}, every hash right")
    publish.set_tag(tag, commit, signed)
    terminal.echo(f"tagged: {tag}{', signed' if signed else ''}")
    if push:
        terminal.echo(publish.push(tag))
    else:
        terminal.echo(f"publish it: git push --atomic origin {git.default_branch()} {tag}")
    if as_json:
        parent = tree.lock.parent.release if tree.lock.parent else None
        told: dict[str, Any] = {"release": tag, "commit": git.head(), "parent": parent}
        told |= {"new_objects": len(pushed), "read_back": count, "signed": bool(signed), "published": push}
        terminal.echo_json(told | {"increment": PurePosixPath(tree.lock.increment).name})


def _checked(tag: str, tree: Tree, store: Store) -> manifest_check.Commit:
    """Everything that must hold before anything is pushed; every reason that does not is named at once."""
    changed, unkept_files = git.changes(), unkept.find(store)
    dirty = _tree_problems(changed)
    problems = _tag_problems(tag, tree) + _unreadable(tree) + dirty + unkept.words(unkept_files) + _place_problems(tree)
    if problems:
        ways = [unkept.dirty_way_out(changed) or HELP_DIRTY] if dirty else []
        ways += [unkept.way_out(unkept_files)] if unkept_files else []
        raise GraftError("not released", problems, help="; ".join(ways) or HELP_CHAIN)
    _pipeline_problems(store, tree)
    commit = manifest_check.read(None)
    if commit.raw is None:
        raise GraftError(
            f"not released: {commit.lock.increment}/raw.dvc is missing, which names the data",
            help=f"dvc add {commit.lock.increment}/raw, then commit",
        )
    _inputs(commit)
    _decision(commit)
    _something_new(commit, tree)
    compared = manifest_check.parentage(commit, tree.releases)
    if compared:
        raise GraftError(
            "not released: what it was compared with is not what that release released",
            map(str, compared),
            help="dvc repro --force --single-item parent lays it out again, or names what the cache holds wrong; "
            "then dvc repro, and commit",
        )
    findings = manifest_check.workspace(commit) + manifest_check.data(commit, store)
    if findings:
        raise GraftError(
            "not released: outputs are not what reports/manifest.json says",
            map(str, findings),
            help=_way_out(findings, commit, store),
        )
    recomputed.require(commit, "HEAD", "not released")
    _limits(commit)
    git.require_identity()
    _parents_state(commit, store)
    return commit


def _tag_problems(tag: str, tree: Tree) -> list[str]:
    if git.exists(f"refs/tags/{tag}"):
        what = "and is no release of Graft: graft release takes the next free version" if tag in tree.other_tags else ""
        return [f"tag {tag} exists already{f', {what}' if what else ': graft log; choose another version'}"]
    if tree.held is not None:
        return [f"nothing new: the tree holds {tree.held.tag}; graft add opens the next candidate"]
    parent = tree.lock.parent.release if tree.lock.parent else "no release"
    if parent in tree.withdrawn:
        return [f"this candidate stands on {parent}, which was withdrawn: graft lock --parent latest, dvc repro"]
    if tree.lock.anchor and tree.lock.anchor.release in tree.withdrawn:
        return [f"the anchor {tree.lock.anchor.release} was withdrawn: another gate.anchor, graft lock, dvc repro"]
    line = [r.manifest for r in (*tree.line, tree.sibling) if r]  # a rollback's tag holds an older one's manifest
    newest = tree.latest
    if newest is not None and newest.manifest not in line:
        return [f"{newest.tag} is released, this candidate stands on {parent}: graft lock --parent latest, dvc repro"]
    return []


def _unreadable(tree: Tree) -> list[str]:
    """Unreadable tags above the candidate's parent: one that is a release would have to be the parent."""
    parent = releases.parse(tree.lock.parent.release) if tree.lock.parent else None
    above = [tag for tag in tree.unreadable if parent is None or tag.version > parent]
    return [f"{tag.tag} is unreadable, and may be a release that comes first: {tag.why}: {tag.help}" for tag in above]


def _tree_problems(changed: list[str]) -> list[str]:
    changes = [*changed, *(f" M {path} (hidden by {how})" for path, how in git.hidden().items())]
    shown = [f"uncommitted: {line}" for line in changes[:10]]
    return shown + ([f"... and {len(changes) - 10} more"] if len(changes) > 10 else [])


def _place_problems(tree: Tree) -> list[str]:
    main, branch = git.default_branch(), git.branch()
    problems = []
    if branch != main:
        problems.append(f"on {branch or 'no branch'}: releases are cut on {main}: {git.default_branch_help()}")
    if git.has_origin():
        if unknown := releases.only_at_origin():
            problems.append(f"origin has tags that this clone lacks ({', '.join(unknown[:5])}): git fetch --tags")
        tip = git.run("ls-remote", "origin", f"refs/heads/{main}").split("\t")[0]
        if tip and not git.succeeds("merge-base", "--is-ancestor", tip, "HEAD"):
            then = ", then graft lock --parent latest, dvc repro" if tree.releases else ", then dvc repro"
            problems.append(f"origin's {main} has moved on: git pull{then}")
    return problems


def _pipeline_problems(store: Store, tree: Tree) -> None:
    effective.load()
    outputs.require_readable()
    stale = staleness.find(store, tree.held)
    if stale:
        raise GraftError(
            "not released: the pipeline is not up to date",
            staleness.words(staleness.by_file(stale)),
            help=restoring.of_stale(stale, manifest_check.read(None), store)
            if staleness.only_outputs(stale)
            else "dvc repro (graft plan says what it would do), then commit",
        )


def _way_out(findings: list[manifest_check.Finding], commit: manifest_check.Commit, store: Store) -> str:
    if all(finding.problem == manifest_check.FOREIGN for finding in findings):
        return restoring.FOREIGN
    return restoring.of_findings((one for one in findings if one.problem != manifest_check.FOREIGN), commit, store)


def _inputs(commit: manifest_check.Commit) -> None:
    """Refuse what another clone could not make again: `dvc status` compares the tree, and git may hold other bytes."""
    if found := commit_inputs.findings(commit, "HEAD"):
        raise GraftError(
            "not released: the commit is not what its stages read", map(str, found), help=commit_inputs.HELP
        )


def _limits(commit: manifest_check.Commit) -> None:
    found = serving_limits.problems(commit.manifest, commit.lock.parent.release if commit.lock.parent else None)
    if found:
        raise GraftError("not released: over a limit of params.yaml", found, help=serving_limits.MEASURE_AGAIN)


def _parents_state(commit: manifest_check.Commit, store: Store) -> None:
    """Refuse a remote that is out of reach, or that is not the one of the release before, before anything is sent."""
    store.missing([], "remote")
    parent = commit.lock.parent
    if parent is None or parent.release == releases.ADOPTED:
        return
    state = store.closure((output["md5"] for output in parent.state.values()), "cache", "remote")
    if absent := store.missing(state, "remote"):
        lacking = f"remote {store.remote_name()!r} lacks {words.counted(len(absent), 'object')}"
        raise GraftError(
            f"not released: {lacking} of the state of {parent.release}: is it mounted?",
            absent,
            help="dvc remote list shows where it points; a new remote takes all releases first: dvc push --all-tags",
        )


def _decision(commit: manifest_check.Commit) -> None:
    if releases.decision_here() == "pass":
        return
    path = Path("reports/verdict.json")
    verdict = documents.parse_object(path.read_bytes(), str(path), help="dvc repro --force gate")
    raise GraftError(
        f"not released: the gate refused {PurePosixPath(commit.lock.increment).name}",
        map(str, verdict.get("reasons") or []),
        help="reports/report.md shows every slice; mend the data or params, dvc repro, commit",
    )


def _something_new(commit: manifest_check.Commit, tree: Tree) -> None:
    """Refuse to release the parent's weights under a second name."""
    parent = tree.lock.parent
    if parent is None or parent.release == releases.ADOPTED:
        return
    before = manifest_check.read(parent.release).manifest
    if _weights(before) == _weights(commit.manifest):
        raise GraftError(
            f"nothing new: models/merged holds the weights of {parent.release}",
            help="every record had been seen, or nothing that changes weights was changed; graft add brings other data",
        )


def _weights(manifest: dict[str, Digest]) -> dict[str, str]:
    card = "models/merged/README.md"  # names the increment, so it differs when nothing else does
    return {p: d["sha256"] for p, d in manifest.items() if p.startswith("models/merged/") and p != card}


def _read_back(commit: manifest_check.Commit, tree: Tree, store: Store, pushed: list[str]) -> int:
    """Hash what the remote now gives back, but for what an earlier release read back already."""
    verified = _objects_of_parent(tree, store) - set(pushed)
    wanted = sorted(store.closure(commit.objects(), "cache", "remote") - verified)
    digests = store.all_digests(wanted, "remote")
    found = {md5: digests[md5].md5 if md5 in digests else "nothing" for md5 in wanted}
    bad = [f"{md5}: found md5 {found[md5]}" for md5 in wanted if found[md5] != md5.removesuffix(".dir")]
    if bad:
        raise GraftError(
            f"not released: the remote gives back other bytes than were sent ({len(pushed)} objects were pushed)",
            bad,
            help="delete the named objects in the remote and run graft release again",
        )
    return len(wanted)


def _parent(tree: Tree) -> releases.Release | None:
    name = tree.lock.parent.release if tree.lock.parent else None
    return next((release for release in tree.releases if release.tag == name), None)


def _objects_of_parent(tree: Tree, store: Store) -> set[str]:
    if tree.lock.parent is None or tree.lock.parent.release == releases.ADOPTED:
        return set()
    return store.closure(manifest_check.read(tree.lock.parent.release).objects(), "cache")
