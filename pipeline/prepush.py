"""The pre-push hook that `make hooks` asks for: a v* tag leaves this clone only if it is a release.

git calls it with one line a ref on standard input (githooks(5), pre-push).
"""

import sys
from collections.abc import Iterable

from pipeline import terminal
from pipeline.chain.commits import git
from pipeline.chain.history import releases
from pipeline.chain.store.objects import Store
from pipeline.chain.verify import manifest_check, recomputed
from pipeline.common import documents, errors
from pipeline.common.errors import GraftError


def main() -> None:
    """Check every release's tag among the refs that are about to be pushed."""
    for tag, commit in release_tags(sys.stdin):
        problems = check(tag, commit)
        if problems:
            raise GraftError(f"{tag} is not a release; not pushed", problems, help=f"git tag -d {tag}; graft release")
        terminal.echo(f"{tag}: verdict recomputed: pass, manifest right, outputs in the remote", err=True)


def release_tags(lines: Iterable[str]) -> list[tuple[str, str]]:
    """(tag, object id) of each release's tag that is pushed and not deleted."""
    found = []
    for line in lines:
        local, oid, remote, _ = line.split()
        tag = remote.removeprefix("refs/tags/")
        if remote != tag and releases.parse(tag) and local != "(delete)":
            found.append((tag, oid))
    return found


def check(tag: str, oid: str) -> list[str]:
    """Why this tag is no release, one line each; empty when it is one."""
    if git.run("cat-file", "-t", oid) != "tag":
        return [f"{tag} is a lightweight tag: a release is annotated (git tag -a)"]
    commit_name = f"{oid}^{{commit}}"
    commit = manifest_check.read(commit_name, tag)
    decision = documents.parse(git.show(commit_name, str(releases.DECISION)) or b"null", f"{tag}:{releases.DECISION}")
    problems = [] if decision == "pass" else [f"the gate's decision is {decision}, not pass"]
    problems += map(str, manifest_check.in_git(commit, f"{oid}^{{commit}}"))
    store = Store()
    store.fetch(commit.objects())
    problems += [
        str(found)
        for found in manifest_check.objects(commit, store, "cache")
        if found.problem != manifest_check.ON_DEMAND
    ]
    if not problems:
        problems += _differing(commit, f"{oid}^{{commit}}")
    absent = store.missing(store.closure(commit.objects(), "cache"), "remote")
    return problems + [f"not in the remote: object {md5}" for md5 in absent]


def _differing(commit: manifest_check.Commit, revision: str) -> list[str]:
    """What this tree's gate computes otherwise, and whether that may be because its code is another one."""
    differing = [str(finding) for finding in recomputed.findings(commit, revision)]
    if differing and recomputed.other_code(revision):
        differing.append("the gate's code in this tree is another one: check the tag out and push it from there")
    return differing


if __name__ == "__main__":
    errors.run(main)
