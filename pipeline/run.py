"""The main job, as `make run` starts it: `dvc repro` with progress, then the verdict in a few lines.

Plain `dvc repro` does the same work. This adds what DVC does not say: that a released tree is not
trained again for an upgrade, that hashes differ because the machine's class does, and exit code 1
when the gate refused.
"""

import argparse
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pipeline import terminal
from pipeline.chain.candidate import candidate, early_checks, staleness, unkept
from pipeline.chain.commits import git, outputs
from pipeline.chain.history import releases
from pipeline.chain.lock import lockfile
from pipeline.chain.store import dvc
from pipeline.chain.store.objects import Store
from pipeline.chain.verify import manifest_check, restoring
from pipeline.common import documents, errors
from pipeline.common.errors import GraftError
from pipeline.evaluation import predictions
from pipeline.report import brief, gathered, headline
from pipeline.settings import effective

REPORTS = Path("reports")
_COLOURS = {"pass": "green", "fail": "red", "inconclusive": "yellow"}
_RUNNING = re.compile(r"^Running stage '(\w+)':")
_SKIPPED = re.compile(r"^Stage '(\w+)' (?:didn't change|is cached)")
_CHATTER = re.compile(
    r"^(> python|Updating lock|Generating lock|To track|To enable|\tgit add|\tdvc config|Use `dvc push|Importing|"
    r"WARNING: '.*' is empty|'.*\.dvc' didn't change)"
)


def main() -> None:
    """Bring the tree up to date, print the report, and say whether the candidate may be released."""
    about, _, more = (__doc__ or "").partition("\n\n")
    argparse.ArgumentParser(prog="python -m pipeline.run", description=about, epilog=more).parse_args()
    git.require_own_repository()
    values = effective.load()
    effective.require_files()
    tree, store = candidate.tree(), Store()
    unkept.require_line_ends("not run: files are not what git keeps")
    if left_out := unkept.find(store):
        lines = [*unkept.words(left_out), f"help: {unkept.way_out(left_out)}"]
        terminal.echo("warning: graft release will refuse files that stages read", *(f"  {line}" for line in lines))
    found = staleness.find(store, tree.held)
    held = tree.held if staleness.as_released(found) else None
    if not found:
        terminal.echo("nothing to do: the pipeline is up to date")
    elif held and (store.remote_name() or not any(reason.kind == "output" for reason in found)):
        _restore(held, found)
    else:
        early_checks.refuse_unfit(values["train"], tree.lock, {reason.stage for reason in found})
        _announce_sibling(tree, found)
        _repro()
    _report()


def _announce_sibling(tree: candidate.Tree, found: list[staleness.Reason]) -> None:
    """Say before anything runs that it makes another candidate of a release's data, and why."""
    if tree.sibling and not staleness.only_outputs(found):
        tag = tree.sibling.tag
        terminal.echo(f"this makes a sibling of {tag} (same parent, same increment, other params or code):")
        terminal.echo(*(f"  {line}" for line in staleness.words(found)))
        terminal.echo("  graft add --no-data opens a candidate on top of the release instead")


def _repro() -> None:
    total = len(re.findall(r"^  \w+:", Path("dvc.yaml").read_text().partition("stages:")[2], re.MULTILINE))
    seconds = _dvc(["repro"], total)
    _explain_class()
    if seconds:
        longest = sorted(seconds.items(), key=lambda one: -one[1])
        told = ", ".join(f"{stage} {round(spent)}" for stage, spent in longest if spent >= 1)
        terminal.echo("", f"seconds: {sum(seconds.values()):.0f}{f' ({told})' if told else ''}")


def _dvc(arguments: list[str], total: int = 0) -> dict[str, float]:
    """Run dvc with the environment of this Python, its stages numbered and its chatter left out; seconds per stage."""
    done, running, seconds = 0, "", dict[str, float]()
    with subprocess.Popen(
        dvc.command(*arguments), env=dvc.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None  # noqa: S101 - asked for above
        began = time.monotonic()
        for line in _until_interrupted(process, process.stdout):
            if match := _RUNNING.match(line) or _SKIPPED.match(line):
                done += 1
                seconds, began = seconds | _since(running, began), time.monotonic()
                running = match[1] if "Running" in line else ""
                terminal.echo(f"[{done}/{total}] {match[1]} {'' if running else '(unchanged)'}")
            elif line.strip() and not _CHATTER.match(line):
                terminal.echo(f"  {line.removesuffix(chr(10))}")
    if process.returncode != 0:
        raise GraftError(f"dvc {arguments[0]} failed; what it said stands above", help="mend it and run this again")
    return seconds | _since(running, began)


def _since(stage: str, began: float) -> dict[str, float]:
    return {stage: time.monotonic() - began} if stage else {}


def _until_interrupted(process: subprocess.Popen[str], lines: Iterable[str]) -> Iterator[str]:
    """The lines, until Ctrl-C: then wait for dvc, which got it too, to let go of its locks."""
    try:
        yield from lines
    except KeyboardInterrupt:
        process.wait()
        raise


def _restore(held: releases.Release, found: list[staleness.Reason]) -> None:
    """Have a release's outputs here, and train nothing for an upgrade."""
    if any(reason.kind == "output" for reason in found):
        on_demand = manifest_check.read(None).derived()
        _dvc(["pull", "--allow-missing"] if on_demand else ["pull"])
        if on_demand:
            stages = outputs.makers(Path("dvc.yaml").read_bytes())
            _dvc(["repro", "--single-item", *stages], len(stages))
    left = [reason for reason in staleness.find(Store(), held) if reason.kind == "output"]
    if left:
        raise GraftError(
            f"outputs are not those of {held.tag}",
            staleness.words(left),
            help=restoring.of_stale(left, manifest_check.read(None), Store()),
        )
    if staleness.upgraded(found):
        terminal.echo(f"released {held.tag}, upgraded since; a release is not trained again for that:")
        terminal.echo(*(f"  {line}" for line in staleness.words(found)))
        terminal.echo(
            "  `graft add` opens the next candidate with it; `dvc repro` would train a sibling of the release"
        )
    elif staleness.restated(found):
        terminal.echo(f"released {held.tag}; no stage but settings has anything to run:")
        terminal.echo(*(f"  {line}" for line in staleness.words(found)))


def _explain_class() -> None:
    """Say why hashes differ from the committed ones, where the machine is of another class."""
    before, now = _machine(git.show("HEAD", "reports/training.json")), _machine(_bytes(Path("reports/training.json")))
    if before and now and before != now and git.changes():
        terminal.echo("", "hashes differ from the committed ones: bytes repeat within one machine class only")
        terminal.echo(f"  committed: {_words(before)}", f"  here:      {_words(now)}")


def _machine(training: bytes | None) -> dict[str, Any] | None:
    return documents.parse_object(training, "reports/training.json").get("machine_class") if training else None


def _words(machine: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in machine.items())


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _report() -> None:
    """The verdict in a few lines; the whole of it stays in its file."""
    found, increment = predictions.read(REPORTS / "predictions.json"), Path(lockfile.load().increment).name
    verdict, changes = (_report_file(name) for name in ("verdict.json", "changes.json"))
    facts = gathered.read(verdict, effective.load()["gate"], found, increment, changes)
    first, *others = brief.lines(facts)
    terminal.echo("")
    terminal.echo_headline(first, _COLOURS[headline.mood(facts)])
    terminal.echo(*(f"  {line}" for line in others))
    terminal.echo(
        f"look at: {REPORTS}/report.md, or reports/report.html in a browser; reports/data.html, reports/metrics.json"
    )
    if releases.decision_here() != "pass":
        raise GraftError("the gate refused this candidate; the reasons stand above", help="docs/how-to/refused.md")


def _report_file(name: str) -> dict[str, Any]:
    return documents.parse_object((REPORTS / name).read_bytes(), f"reports/{name}")


if __name__ == "__main__":
    try:
        errors.run(main)
    except KeyboardInterrupt:
        terminal.echo("", "stopped; run it again to go on", err=True)
        sys.exit(130)
