"""graft verify: every hash of a release, against git, workspace, cache and remote."""

from dataclasses import replace

import click

from pipeline import files
from pipeline.chain import git, releases
from pipeline.chain import verify as check
from pipeline.chain.store import Store
from pipeline.errors import GraftError


@click.command()
@click.argument("revision", metavar="[REV]", required=False)
@click.option("--chain", is_flag=True, help="Walk all ancestors, down to the first release, too.")
@click.option("--remote", is_flag=True, help="Read every object of the remote too.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def verify(revision: str | None, chain: bool, remote: bool, as_json: bool) -> None:
    """Hash every file of a release.

    What is missing, corrupt or wrong is named with the path, the expected and the found hash.

    Without REV the working tree is checked; with REV (a tag or commit) what DVC's cache holds of
    it, and the working tree too when it holds that same release.

    \b
    Example:
      graft verify                  the working tree
      graft verify v1.0.0 --remote  a release, as the remote would give it back
      graft verify v1.3.0 --chain   and every release that it was trained on
    """
    commit = check.read(revision)
    findings = _findings(commit, revision, remote)
    ancestors = releases.chain(commit.lock, releases.all_releases()) if chain else []
    for ancestor in ancestors:
        findings += [
            replace(finding, path=f"{ancestor.tag}:{finding.path}")
            for finding in _findings(check.read(ancestor.commit), ancestor.commit, remote)
        ]
    on_demand = [finding for finding in findings if finding.problem == check.ON_DEMAND]
    findings = [finding for finding in findings if finding.problem != check.ON_DEMAND]
    paths, lacking = sorted({finding.path for finding in on_demand}), sorted({finding.place for finding in on_demand})
    count, size = len(commit.manifest), sum(digest["size"] for digest in commit.manifest.values())
    name = revision or "working tree"
    if as_json:
        report: dict[str, object] = {"revision": name, "files": count, "on_demand": paths}
        report["findings"] = [finding.as_json() for finding in findings]
        click.echo(files.dumps(report), nl=False)
    elif paths:
        click.echo(f"on demand: {len(paths)} files ({', '.join(lacking)}): not missing, dvc repro merge makes them")
    if findings and as_json:
        raise SystemExit(1)
    if findings:
        raise GraftError(f"{name}: {len(findings)} findings", map(str, findings), help=_advice(findings))
    if not as_json:
        places = "git, cache and remote" if remote else "git and cache"
        walked = "".join(f", {ancestor.tag}" for ancestor in ancestors)
        click.echo(f"{name}{walked}: {count} files, {size:,} bytes, every SHA-256 as released ({places})")


def _findings(commit: check.Commit, revision: str | None, remote: bool) -> list[check.Finding]:
    store = Store()
    held = git.object_ids([f"{revision or 'HEAD'}:{releases.MANIFEST}"])[0] == git.object_id(releases.MANIFEST)
    findings = check.workspace(commit) + check.data(commit, store) if revision is None or held else []
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
