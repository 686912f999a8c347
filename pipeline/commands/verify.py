"""graft verify: every hash of a release, against git, workspace, cache and remote."""

import click

from pipeline import files
from pipeline.chain import git, releases
from pipeline.chain import verify as check
from pipeline.chain.store import Store
from pipeline.errors import GraftError


@click.command()
@click.argument("revision", metavar="[REV]", required=False)
@click.option("--remote", is_flag=True, help="Read every object of the remote too.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def verify(revision: str | None, remote: bool, as_json: bool) -> None:
    """Hash every file of a release.

    What is missing, corrupt or wrong is named with the path, the expected and the found hash.

    Without REV the working tree is checked; with REV (a tag or commit) what DVC's cache holds of
    it, and the working tree too when it holds that same release.

    \b
    Example:
      graft verify                  the working tree
      graft verify v1.0.0 --remote  a release, as the remote would give it back
    """
    commit = check.read(revision)
    findings = _findings(commit, revision, remote)
    count, size = len(commit.manifest), sum(digest["size"] for digest in commit.manifest.values())
    name = revision or "working tree"
    if as_json:
        click.echo(
            files.dumps({"revision": name, "files": count, "findings": [finding.as_json() for finding in findings]}),
            nl=False,
        )
    if findings:
        if as_json:
            raise SystemExit(1)
        raise GraftError(f"{name}: {len(findings)} findings", map(str, findings), help=_advice(findings))
    if not as_json:
        places = "git, cache and remote" if remote else "git and cache"
        click.echo(f"{name}: {count} files, {size:,} bytes, every SHA-256 as released ({places})")


def _findings(commit: check.Commit, revision: str | None, remote: bool) -> list[check.Finding]:
    store = Store()
    held = git.object_ids([f"{revision or 'HEAD'}:{releases.MANIFEST}"])[0] == git.object_id(releases.MANIFEST)
    findings = check.workspace(commit) if revision is None or held else []
    if revision is not None:
        findings += check.in_git(commit, revision)
    findings += check.parentage(commit, releases.all_releases())
    findings += check.objects(commit, store, "cache")
    return findings + (check.objects(commit, store, "remote") if remote else [])


def _advice(findings: list[check.Finding]) -> str:
    problems = {(finding.problem, finding.place) for finding in findings}
    if all(problem == "missing" for problem, _ in problems):
        return "dvc pull brings what is missing here; dvc push what is missing in the remote"
    if ("corrupt", "remote") in problems:
        return "delete the corrupt object in the remote and dvc push from a clone whose verify passes"
    return "delete the corrupt object in .dvc/cache/files/md5, then dvc pull; or dvc repro makes outputs again"
