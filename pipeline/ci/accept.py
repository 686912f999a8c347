"""Accepts a commit of main that CI trained: `python -m pipeline.ci.accept BEFORE`.

Needs gh, with a token that reads actions, contents and pull requests. BEFORE is main's tip before the push, as its
event says.

What counts as evidence is a successful run of retrain.yml whose definition GitHub took from the default branch
(event pull_request_target) and whose name, which that definition writes, holds the trained commit. HEAD is accepted if
it is that commit in every file but the results, and if its results are those that the run uploaded, byte for byte.
No message, author, note, tag or file of the repository is evidence. A commit that holds a release of BEFORE's history
needs none: nothing in it is new.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline import terminal
from pipeline.chain.commits import git
from pipeline.chain.history import releases
from pipeline.chain.lock import lockfile
from pipeline.ci import github, results
from pipeline.common import errors
from pipeline.common.errors import GraftError

WORKFLOW, EVENT, ARTIFACT = "retrain.yml", "pull_request_target", "trained"
WITH_TOKEN = ("-c", "credential.helper=!gh auth git-credential")  # a private repository asks for it
_NAME = re.compile(r"train #(?P<number>[0-9]+) at (?P<commit>[0-9a-f]{40})")  # `run-name` of retrain.yml


@dataclass(frozen=True, kw_only=True, slots=True)
class AcceptedTraining:
    """A run of retrain.yml that succeeded."""

    run: int
    commit: str  # that it trained


def trainings(commit: str) -> Iterator[AcceptedTraining]:
    """The successful runs of retrain.yml on the pull requests that became a commit, newest first."""
    pulls = [pull for page in github.pages(f"commits/{commit}/pulls") for pull in page]
    numbers = {str(pull["number"]) for pull in pulls if pull["merged_at"]}
    if not numbers:
        return
    for page in github.pages(f"actions/workflows/{WORKFLOW}/runs?event={EVENT}&status=success&per_page=100"):
        for run in page["workflow_runs"]:
            match = _NAME.fullmatch(run["display_title"])
            if match and match["number"] in numbers and _is_of_main(run):
                yield AcceptedTraining(run=int(run["id"]), commit=match["commit"])


def _is_of_main(run: dict[str, object]) -> bool:
    """Whether GitHub took the run's definition from the default branch; the query is not believed alone."""
    path = str(run["path"]).partition("@")[0]
    return (run["event"], run["conclusion"], path) == (EVENT, "success", f".github/workflows/{WORKFLOW}")


def differences(training: AcceptedTraining) -> list[str]:
    """Why HEAD is not what a training made; empty when it is."""
    artifact = github.artifact(training.run, ARTIFACT)
    if artifact is None:
        return [f"no artifact {ARTIFACT}: nothing was trained, or it has expired"]
    if not git.succeeds("cat-file", "-e", f"{training.commit}^{{commit}}"):
        git.run(*WITH_TOKEN, "fetch", "--quiet", "--no-tags", "--depth", "1", "origin", training.commit)
    changed = git.run("diff", "--name-only", "-z", "--no-renames", training.commit, "HEAD").split("\0")
    inputs = [f"{path}: not as trained" for path in changed if path and path not in results.NAMES]
    here, there = results.at("HEAD"), results.packed(artifact)
    return inputs + [f"{name}: not what CI made" for name in results.NAMES if here.get(name) != there.get(name)]


def released_before(before: str) -> str | None:
    """Tag of the release that HEAD holds, if it lay in main's history before the push: a rollback."""
    lock = lockfile.parse(git.show("HEAD", lockfile.PATH.as_posix()) or b"", f"HEAD:{lockfile.PATH}")
    manifest = git.object_ids([f"HEAD:{releases.MANIFEST.as_posix()}"])[0]
    known = [r for r in releases.all_releases() if git.succeeds("merge-base", "--is-ancestor", r.commit, before)]
    held = releases.held_by(lock, manifest, known)
    return held.tag if held and results.at(held.commit) == results.at("HEAD") else None


def accept(before: str) -> str:
    """Why HEAD is accepted, in words.

    Raises:
        GraftError: no training made it; the message says how each one differs.
    """
    if tag := released_before(before):
        return f"HEAD holds {tag}: nothing in it is new"
    problems = []
    for training in trainings(git.head()):
        different = differences(training)
        if not different:
            return f"HEAD is what CI trained from {training.commit} in run {training.run}"
        problems += [f"run {training.run}, {training.commit[:12]}: {difference}" for difference in different]
    raise GraftError(
        "not promoted: CI did not train this commit",
        problems or ["no run of retrain.yml succeeded on a pull request that became it"],
        help="set the label `retrain` on an up-to-date pull request, and merge what its run commits",
    )


def main() -> None:
    """Say why HEAD is accepted, or refuse it."""
    if len(sys.argv) != 2:
        raise GraftError("usage: python -m pipeline.ci.accept BEFORE")
    terminal.echo(f"accept: {accept(sys.argv[1])}")


if __name__ == "__main__":
    errors.run(main)
