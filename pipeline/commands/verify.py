"""graft verify: every hash of a release, against git, workspace, cache and remote."""

from dataclasses import replace
from typing import NoReturn

import click

from pipeline import terminal
from pipeline.chain.candidate import changed_settings
from pipeline.chain.commits import git
from pipeline.chain.history import releases
from pipeline.chain.history.releases import Release
from pipeline.chain.rebuild import rebuild
from pipeline.chain.rebuild.rebuild import Rebuilt
from pipeline.chain.release import signing, tagged, unreleased
from pipeline.chain.rescore import rescore
from pipeline.chain.rescore.rescore_report import Rescored
from pipeline.chain.store.objects import Store
from pipeline.chain.verify import commit_inputs, recomputed, restoring
from pipeline.chain.verify import manifest_check as check
from pipeline.chain.verify.manifest_check import Commit, Finding
from pipeline.common.errors import GraftError
from pipeline.common.words import counted
from pipeline.settings import effective

_LOST = ("missing", "corrupt", "wrong")
_COMMITTED = "a commit does not change: do not deploy it; correct the files, dvc repro, commit and release again"
ALL = ""  # --rescore without N
_ADVICE = {  # where one of these is among the problems
    (
        "wrong-tag",
    ): "git fetch --tags --force takes origin's tags; where origin's moved, ask who did it and do not deploy",
    ("hidden-edit",): "git update-index --no-skip-worktree --no-assume-unchanged PATH shows it; git restore undoes it",
    ("unsigned", "wrong-signature"): "docs/how-to/signing.md; do not deploy a release that nobody vouches for",
}


@click.command()
@click.argument("revision", metavar="[REV]", required=False)
@click.option("--chain", is_flag=True, help="Walk all ancestors, down to the first release, too.")
@click.option("--remote", is_flag=True, help="Read every object of the remote too.")
@click.option("--rebuild", "again", is_flag=True, help="Train it again in a scratch clone and compare every byte.")
@click.option("--within", default=1e-4, show_default=True, help="With --rebuild: the difference of weights allowed.")
@click.option(
    "--rescore", "sample", is_flag=False, flag_value=ALL, metavar="[N]",
    help="Score its evaluation items again with its published weights and compare with its predictions: all items "
    f"where that takes two minutes or less, else N (default {rescore.SAMPLE}) drawn by a random seed.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), help="With --rescore: draw N items by this seed, as once before.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def verify(
    revision: str | None,
    chain: bool,
    remote: bool,
    again: bool,
    within: float,
    sample: str | None,
    seed: int | None,
    as_json: bool,
) -> None:
    """Hash every file of a release.

    What is missing, corrupt or wrong is named with the path, the expected and the found hash.
    The verdict, the metrics and the report are computed again from the predictions, unless the
    gate's code at REV is another one than here.

    Without REV the working tree is checked; with REV (a tag or commit) what DVC's cache holds of
    it, and the working tree too when it holds that same release. A release's signature is checked
    against the signers of the default branch.

    \b
    Example:
      graft verify                  the working tree
      graft verify v1.0.0 --remote  a release, as the remote would give it back
      graft verify v1.3.0 --chain   and every release that it was trained on
      graft verify v1.3.0 --rebuild trained again from its parent, here
      graft verify v1.3.0 --rescore its predictions, by its published weights
    """
    revision, items = _sample(revision, sample, seed)
    if revision is None:
        effective.load()  # a typo in params.yaml is no edit of the record
    if again and revision is None:
        raise click.UsageError("--rebuild takes a REV")
    every = releases.read()
    releases.warn(tag for tag in every.unreadable if tag.tag != revision)
    known = every.releases
    commit = check.read(revision)
    findings, notes = _look(commit, revision, remote, known)
    ancestors = releases.chain(commit.lock, known) if chain else []
    for ancestor in ancestors:
        found, said = _look(check.read(ancestor.commit, ancestor.tag), ancestor.tag, remote, known)
        findings += [replace(finding, path=f"{ancestor.tag}:{finding.path}") for finding in found]
        notes += said
    found, said = _tags(revision, commit, ancestors, every)
    findings, notes = findings + found, notes + said
    findings, on_demand = check.apart(findings)
    rebuilt = rebuild.compare(revision, commit, within) if again and revision and not findings else None
    rescored = _rescored(commit, revision, items, seed, findings) if items else None
    if as_json:
        terminal.echo_json(_report(revision, commit, findings, on_demand, notes, rebuilt, rescored))
        raise SystemExit(1 if findings or any(made and made.different for made in (rebuilt, rescored)) else 0)
    if on_demand:
        places = ", ".join(sorted({finding.place for finding in on_demand}))
        count = len({finding.path for finding in on_demand})
        notes.append(f"on demand: {counted(count, 'file')} ({places}): not missing, dvc repro merge makes them")
    if findings:
        _refuse(revision, commit, findings, rescored)
    _say(revision, commit, notes, [r.tag for r in ancestors], remote)
    _say_again(revision or "working tree", rebuilt, rescored)


def _look(commit: Commit, revision: str | None, remote: bool, known: list[Release]) -> tuple[list[Finding], list[str]]:
    """What is not as released, and remarks that are no fault."""
    store = Store()
    held = git.object_ids([f"{revision or 'HEAD'}:{releases.MANIFEST}"])[0] == git.object_id(releases.MANIFEST)
    findings = check.workspace(commit) + check.data(commit, store) + check.hidden() if revision is None or held else []
    if revision is not None and remote:
        findings = check.checked_out(commit, findings)
    if revision is not None:
        findings += check.in_git(commit, revision)
        findings += commit_inputs.findings(commit, revision) if _is_release(revision, known) else []
    findings += check.parentage(commit, known) + check.provenance(commit.lock, known)
    cached = check.objects(commit, store, "cache")
    if remote:  # what is only there is not missing: a fresh clone, or an ancestor that nobody pulled
        findings += [finding for finding in cached if finding.problem != "missing"]
        findings += check.objects(commit, store, "remote")
    else:
        findings += cached
    signed, notes = _signature(revision, known)
    release = releases.held_by(commit.lock, _manifest(revision), known)
    if release is not None:
        findings += unreleased.changes(release, revision)
        notes += unreleased.upgrade(release, revision) + unreleased.free(release, revision)
    if not check.apart(findings)[0]:
        differing, why_not = _recomputed(commit, revision, [store] if remote else [], release)
        findings, notes = findings + differing, notes + why_not
    return findings + signed, notes


def _recomputed(
    commit: Commit, revision: str | None, stores: list[Store], release: Release | None
) -> tuple[list[Finding], list[str]]:
    """What the verdict's own code computes otherwise, or why it was not run: a tag's code never runs here.

    In a working tree that holds a release, code and defaults may have moved on: it is computed with the settings that
    the release records, and what newer code only words otherwise is no fault of the record.
    """
    name = revision or "working tree"
    if revision is not None and recomputed.other_code(revision):
        return [], [f"{name}: {recomputed.OTHER_CODE}"]
    held = release if revision is None else None
    other = bool(held and recomputed.other_code(held.commit))
    has_moved_on = other or (held is not None and changed_settings.would_write(effective.load()))
    differing = recomputed.findings(
        commit, revision, stores, recorded_by=held.commit if held and has_moved_on else None
    )
    if not differing:
        return [], [f"{name}: verdict recomputed: {recomputed.decision(revision)}"]
    paths = {finding.path for finding in differing}
    if held is None or recomputed.DECISION in paths or not other:
        return differing, []
    if paths & {*recomputed.VERDICT, recomputed.PREDICTIONS}:
        return [], [f"{name}: {recomputed.OTHER_CODE} from that of {held.tag}"]
    return [], [f"{name}: verdict recomputed by other code than that of {held.tag}: {recomputed.decision(revision)}"]


def _tags(
    revision: str | None, commit: Commit, ancestors: list[Release], every: releases.ReadTags
) -> tuple[list[Finding], list[str]]:
    """What the tags of the release and of its ancestors say otherwise than their commits and origin."""
    held = releases.held_by(commit.lock, _manifest(revision), every.releases)
    named = next((release for release in every.releases if release.tag == revision), held)
    tags = [*([named] if named else []), *ancestors]
    findings = list(tagged.no_release(revision, every)) if revision else []
    looks = [*map(tagged.check, tags), tagged.check_origin([release.tag for release in tags])]
    findings += [finding for found, _ in looks for finding in found]
    return findings, [note for _, said in looks for note in said]


def _is_release(revision: str, known: list[Release]) -> bool:
    return git.commit_of(revision) in {release.commit for release in known}


def _manifest(revision: str | None) -> str | None:
    return git.object_ids([f"{revision}:{releases.MANIFEST}"])[0] if revision else git.object_id(releases.MANIFEST)


def _signature(revision: str | None, known: list[Release]) -> tuple[list[Finding], list[str]]:
    release = next((r for r in known if r.tag == revision), None)
    if release is None:
        return [], []
    signature, signers = signing.in_tag(release.tag), signing.trusted()
    if not signers:
        return [], [f"{release.tag}: {'signed, but' if signature else 'not signed:'} the repository names no signers"]
    expected = f"a signature by {', '.join(sorted(signers))}"
    place = {"path": f"tag {release.tag}", "place": "git", "expected": expected}
    if signature is None:
        return [Finding(problem="unsigned", found="none", **place)], []
    who = signing.signer_of(signing.Subject(tag=release.tag, commit=release.commit), signature, signers)
    if who is None:
        return [Finding(problem="wrong-signature", found="one that none of them made of this release", **place)], []
    return [], [f"{release.tag}: signed by {who}"]


def _report(
    revision: str | None,
    commit: Commit,
    findings: list[Finding],
    on_demand: list[Finding],
    notes: list[str],
    rebuilt: Rebuilt | None,
    rescored: Rescored | None,
) -> dict[str, object]:
    return {
        "revision": revision or "working tree",
        "files": len(commit.manifest),
        "findings": [finding.as_json() for finding in findings],
        "on_demand": sorted({finding.path for finding in on_demand}),
        "notes": notes,
        "rebuild": rebuilt.as_json() if rebuilt else None,
        "rescored": rescored.as_json() if rescored else None,
    }


def _say(
    revision: str | None,
    commit: Commit,
    notes: list[str],
    ancestors: list[str],
    remote: bool,
) -> None:
    name = revision or "working tree"
    size = sum(digest["size"] for digest in commit.manifest.values())
    places = "git, cache and remote" if remote else "git and cache"
    released = releases.held_by(commit.lock, _manifest(revision), releases.read().releases)
    as_what = "as released" if released else "as in the manifest"
    count = f"{len(commit.manifest)} files, {size:,} bytes"
    terminal.echo(f"{', '.join([name, *ancestors])}: {count}, every SHA-256 {as_what} ({places})")
    for note in notes:
        terminal.echo(f"  {note}")


def _rescored(
    commit: Commit, revision: str | None, items: int, seed: int | None, findings: list[Finding]
) -> Rescored | None:
    """Score again where every byte is as the manifest says, though the verdict may follow from other predictions."""
    if any(finding.problem != recomputed.DIFFERS for finding in findings):
        return None
    try:
        return rescore.rescore(commit, revision, items, seed)
    except GraftError:
        if not findings:
            raise
        return None  # the findings say why nothing can be read


def _refuse(revision: str | None, commit: Commit, findings: list[Finding], rescored: Rescored | None) -> NoReturn:
    name = revision or "working tree"
    scored = f"; scored again: {rescored.words()}" if rescored else ""
    problems = [*map(str, findings), *(rescored.shown() if rescored else [])]
    raise GraftError(
        f"{name}: {counted(len(findings), 'finding')}{scored}", problems, help=_advice(revision, commit, findings)
    )


def _say_again(name: str, rebuilt: Rebuilt | None, rescored: Rescored | None) -> None:
    """What training and scoring again gave.

    Raises:
        GraftError: something else than what was released.
    """
    if rebuilt and rebuilt.different:
        raise GraftError(f"{name}: trained again, it is different", rebuilt.lines(), help=rebuilt.advice())
    if rebuilt:
        terminal.echo(f"{name}: trained again: {rebuilt.words()}", *(f"  {line}" for line in rebuilt.lines()))
    if rescored and rescored.different:
        problems = [*rescored.shown(), *rescored.lines()]
        raise GraftError(f"{name}: scored again: {rescored.words()}", problems, help=rescored.advice())
    if rescored:
        terminal.echo(f"{name}: scored again: {rescored.words()}", *(f"  {line}" for line in rescored.lines()))


def _sample(revision: str | None, sample: str | None, seed: int | None) -> tuple[str | None, int | None]:
    """The revision, and how many items to score; None: none. In `--rescore v1.0.0` click takes the tag for N."""
    if sample is None:
        if seed is not None:
            raise click.UsageError("--seed belongs to --rescore")
        return revision, None
    if revision is None and sample != ALL and not sample.isdecimal():
        return sample, rescore.SAMPLE
    if sample == ALL:
        return revision, rescore.SAMPLE
    if not sample.isdecimal() or int(sample) < 1:
        raise click.UsageError(f"--rescore {sample}: takes a number of items, at least 1")
    return revision, int(sample)


_ADVICE_ALONE = {
    recomputed.DIFFERS: "the record was edited, or written by other code: do not deploy it; "
    "dvc repro --force evaluate gate, and release it again",
    check.FOREIGN: restoring.FOREIGN,
    "unreleased-change": "git restore takes an edit back; dvc repro and graft release make it a release",
}


def _advice(revision: str | None, commit: Commit, findings: list[Finding]) -> str:
    problems = {finding.problem for finding in findings}
    for among, help_ in _ADVICE.items():
        if problems & set(among):
            return help_
    if len(problems) == 1 and (advice := _ADVICE_ALONE.get(next(iter(problems)))):
        return advice
    here = revision is None or git.commit_of(revision) == git.head()
    lost = [one for one in findings if one.problem in _LOST and one.place in ("workspace", "git")]
    if lost and (here or all(one.place == "workspace" for one in lost)):
        outputs_of = {output.path for output in commit.outputs}
        mended = [one for one in lost if one.place == "workspace" or one.path in outputs_of]
        if mended and (way_out := restoring.of_findings(mended, commit, Store())):
            return way_out
    if all(one.place == "git" for one in findings):
        return commit_inputs.HELP if here else _COMMITTED
    return _of_objects(findings, here)


def _of_objects(findings: list[Finding], here: bool) -> str:
    """What to do about objects of cache and remote."""
    found = {(one.problem, one.place) for one in findings}
    where = "" if here else ", in a checkout of that release,"
    if ("corrupt", "remote") in found:
        return "delete the corrupt object in the remote and dvc push from a clone whose verify passes"
    if any(problem != "missing" and place == "cache" for problem, place in found):
        return (
            f"graft verify --json names each object; delete it in .dvc/cache/files/md5, then dvc pull{where} brings it"
        )
    if ("missing", "remote") in found:
        return f"dvc push{where} brings to the remote what is here; dvc push --all-tags for every release"
    return f"dvc pull{where} brings what is missing here; --remote looks into the remote instead"
