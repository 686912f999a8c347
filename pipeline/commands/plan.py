"""graft plan: what `dvc repro` would do, and whether this machine can."""

import os
import shutil
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from pipeline import terminal
from pipeline.chain.candidate import candidate, early_checks, recorded, staleness, unkept
from pipeline.chain.candidate.candidate import Tree
from pipeline.chain.commits import outputs
from pipeline.chain.commits.manifest_file import PATH as MANIFEST
from pipeline.chain.lock import lockfile
from pipeline.chain.lock.lockfile import Lock
from pipeline.chain.store.objects import Store
from pipeline.chain.verify import manifest_check, restoring
from pipeline.commands import counts, files_read, plan_lengths, plan_memory
from pipeline.commands.lock import differences
from pipeline.commands.plan_memory import Memory
from pipeline.common import documents, params
from pipeline.common.errors import GraftError
from pipeline.common.words import counted
from pipeline.data.reading import increment as increments
from pipeline.report.data import funnel
from pipeline.settings import effective
from pipeline.training import batches, held_out
from pipeline.training.examples.example import Example
from pipeline.training.settings import TrainSettings

STATES_THE_SAME = "states the same values in other words"
RECORDED_OTHERWISE = "dvc.lock names outputs of another release"
TIMINGS = Path("reports/timings/train.json")
_NO_OUTPUT = "delete it: no release holds it, and the next dvc repro writes it again"


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What `graft plan --json` holds."""

    tree: str  # in words: released, upgraded, candidate, sibling
    anchor: str | None  # the release that slow decline is measured against
    stages: list[str]  # that would run, in order
    why: list[str]
    data: dict[str, int] | None  # what becomes of the increment's rows; None: its files are not here
    prepared: dict[str, Any] | None  # what data/prepared/report.json would hold
    assembled: dict[str, Any] | None  # what data/assembled/report.json would hold
    lengths: list[str]  # what train.max_length cuts, and whether the template shows what the records hold
    base_items: int | None  # items that the untuned base is asked, too; None: it is not
    steps: int | None
    seconds: float | None  # of training, at the pace of the last run in this clone
    memory_gib: float | None  # peak of training, as in that run
    memory: Memory | None  # worked out from the base's config.json; None: it is not here, or its family not known
    machine: dict[str, Any]
    remote: str
    environment: list[str]  # differences from models.lock and requirements.lock
    unkept: list[str]  # files that stages read and that a commit would not hold as they are, and the way out


@click.command()
@click.option("--gpu", metavar="CARDS", help="Does training fit? 24GB, 2x24GB, rtx4090, 8xa100-80; if not, what would.")
@click.option("--config", type=click.Path(path_type=Path), help="A model's config.json, in place of the pinned base's.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def plan(gpu: str | None, config: Path | None, as_json: bool) -> None:
    """Say what `dvc repro` would do here.

    Stages and why, records by fate, steps and time, memory, machine, remote, environment; nothing is run.

    \b
    Example:
      graft plan
      graft plan --gpu 24GB
      graft plan --json | jq .stages
    """
    made = make_plan(gpu, config)
    if as_json:
        terminal.echo_json(asdict(made))
        return
    sections = {
        "tree": [made.tree],
        "anchor": [f"{made.anchor}: the candidate is compared with it, too"] if made.anchor else [],
        "stages": [", ".join(made.stages) or "none: everything is up to date", *made.why],
        "files": _files(made),
        "data": _data(made),
        "training": [_training(made), *made.lengths],
        "evaluation": _evaluation(made),
        "memory": plan_memory.lines(made.memory, gpu),
        "machine": [_words(made.machine)],
        "not kept": made.unkept,
        "remote": [made.remote],
        "environment": made.environment or ["as locked"],
    }
    for title, lines in sections.items():
        for number, line in enumerate(lines):
            terminal.echo(f"{'' if number else title:12} {line}")


def make_plan(gpu: str | None = None, config: Path | None = None) -> Plan:
    """Look at the tree, the data and the machine; nothing is run or written.

    Args:
        gpu: cards that are asked about.
        config: a config.json in place of the pinned base's.
    """
    asked = effective.load()
    effective.require_files()
    outputs.require_readable()
    tree, store = candidate.tree(), Store()
    found = staleness.find(store, tree.held)
    wrong = recorded.differences(tree) if not found or staleness.only_outputs(found) else {}
    declared = _declared(tree.lock.increment)
    made_by = {name: list(wrong) for name, stage in declared.items() if wrong.keys() & set(_paths(stage))}
    stages = staleness.would_run(declared, {reason.stage for reason in found} | made_by.keys())
    if not (tree.held and staleness.as_released(found)):
        early_checks.refuse_unfit(asked["train"], tree.lock, stages)
    told = counts.count(tree, asked, store)
    if told:
        _refuse_unreadable(told.slices, asked["train"], tree.lock)
    train = params.build(TrainSettings, asked["train"])
    steps = _steps(told.train, train, tree.lock.parent is not None) if told and "train" in stages else None
    seconds, memory = _last_run(steps)
    machine = _machine()
    return Plan(
        tree=describe(tree, found) + (f"; but {RECORDED_OTHERWISE}" if wrong else ""),
        anchor=tree.lock.anchor.release if tree.lock.anchor else None,
        stages=stages,
        why=[
            *staleness.words(staleness.by_file(found)),
            *_restored(found, store),
            *(f"{line}: {recorded.WAY_OUT}" for line in wrong.values()),
        ],
        data=counts.summed(told.prepared, told.assembled) if told else None,
        prepared=told.prepared if told else None,
        assembled=told.assembled if told else None,
        lengths=_lengths(told.train, asked["train"], tree.lock) if told and "train" in stages else [],
        base_items=_base_items(told, tree.lock) if told and "evaluate" in stages else None,
        steps=steps,
        seconds=seconds,
        memory_gib=memory,
        memory=plan_memory.work_out(tree.lock, asked["train"], gpu, config, machine["GPU"]),
        machine=machine,
        remote=_remote(store),
        environment=differences(tree),
        unkept=_unkept(store),
    )


def _files(made: Plan) -> list[str]:
    """How the increment's files are read."""
    if made.prepared is None:
        return []
    return list(files_read.lines(increments.read(Path(lockfile.load().increment)), made.prepared))


def describe(tree: Tree, found: list[staleness.Reason]) -> str:
    """Where the tree stands, in one sentence."""
    name = Path(tree.lock.increment).name
    parent = tree.lock.parent.release if tree.lock.parent else "no parent (the first)"
    if tree.held and not found:
        return f"released: holds {tree.held.tag} ({name}); graft add opens the next candidate"
    if tree.held and staleness.only_outputs(found):
        return f"released: holds {tree.held.tag} ({name}), whose outputs are not all here, or are other ones"
    if tree.held and staleness.restated(found):
        what = "changes settings that no stage reads" if staleness.has_free(found) else STATES_THE_SAME
        return f"released: holds {tree.held.tag} ({name}); params.yaml {what}"
    if tree.held and staleness.upgraded(found):
        return (
            f"released, upgraded: holds {tree.held.tag} ({name}) while code or toolchain moved on. make run leaves it; "
            f"dvc repro would train a sibling of {tree.held.tag} (same parent, same increment); "
            "graft add or graft add --no-data opens a candidate on top with it"
        )
    if tree.sibling:
        return (
            f"candidate: {name} on {parent}, a sibling of {tree.sibling.tag} (same parent, same increment, "
            "other params or code); graft add --no-data opens a candidate on top of the release instead"
        )
    return f"candidate: {name} on {parent}"


def _declared(name: str) -> dict[str, Any]:
    """dvc.yaml's stages with the increment's folder in place of its template."""
    stages = outputs.stages(Path("dvc.yaml").read_bytes(), "dvc.yaml")
    return {
        stage: {**spec, "deps": [str(dep).replace("${increment}", name) for dep in spec.get("deps") or []]}
        for stage, spec in stages.items()
    }


def _paths(stage: dict[str, Any]) -> list[str]:
    return [out if isinstance(out, str) else next(iter(out)) for out in stage.get("outs") or []]


def _steps(records: Any, asked: TrainSettings, has_parent: bool) -> int | None:
    """Optimiser steps, drawn and counted as `train` does; None where tokens and not examples make a batch.

    A conversation that its template splits makes more of them; one that is dropped for its length, or an end by
    `train.validation.patience`, fewer.

    Raises:
        GraftError: the validation part, or what it leaves, would be empty.
    """
    if not records.num_rows:  # the parent's adapter is handed on
        return 0
    if asked.batch_tokens or asked.objective == "pretrain":
        return None
    asked = asked.continued() if has_parent and asked.chain == "continue" else asked
    rows = records.select(["id", "weight", "desirable"]).to_pylist()
    drawn = [
        Example(id=row["id"], weight=1.0 if row["weight"] is None else row["weight"], tokens=(), learned=())
        for row in rows
        if row["desirable"] is not False
    ]
    learned, _ = held_out.split(drawn, asked.validation.share)
    return batches.count_steps(learned, batches.Order.of(asked), asked.max_steps)


def _refuse_unreadable(slices: dict[str, Any], train: dict[str, Any], lock: Lock) -> None:
    """As `assemble` does, where the base is here."""
    from pipeline.stages import assemble

    config = plan_memory.pinned(lock)
    here = config and (config.parent / "tokenizer_config.json").is_file()
    assemble.refuse_unreadable(slices, train, lambda: config.parent if config and here else None)


def _lengths(train: Any, asked: dict[str, Any], lock: Lock) -> list[str]:
    config = plan_memory.pinned(lock)
    here = config and (config.parent / "tokenizer_config.json").is_file()
    return list(plan_lengths.lines(train, asked, config.parent if config and here else None))


def _base_items(counted: counts.Counted, lock: Lock) -> int | None:
    """Items that stage `evaluate` asks the untuned base, of a first release."""
    from pipeline.evaluation.predictions_content import BASE_ITEMS

    if lock.parent is not None:
        return None
    ids = {id_ for items in counted.slices.values() for id_ in items.column("id").to_pylist()}
    return min(len(ids), BASE_ITEMS)


def _last_run(steps: int | None) -> tuple[float | None, float | None]:
    """Seconds and peak memory (GiB) of training `steps` at the last run's pace here; None without one."""
    last = documents.parse_object(TIMINGS.read_bytes(), str(TIMINGS), help=_NO_OUTPUT) if TIMINGS.is_file() else {}
    before, seconds, peak = (documents.number(last.get(name)) for name in ("steps", "seconds", "peak_memory_bytes"))
    if not steps or not before or seconds is None or peak is None:
        return None, None
    return steps * seconds / before, peak / 2**30


def _machine() -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    disk = shutil.disk_usage(".").free / 2**30
    return {"cores": os.cpu_count(), "memory GiB": round(memory), "free disk GiB": round(disk), "GPU": _gpu()}


def _gpu() -> str:
    if shutil.which("nvidia-smi") is None:
        return "none"
    command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip().replace("\n", "; ") or "none"


def _restored(found: list[staleness.Reason], store: Store) -> list[str]:
    """What brings outputs back, where nothing else is stale: from git, cache or remote."""
    if not staleness.only_outputs(found) or not all(Path(name).is_file() for name in ("dvc.lock", MANIFEST)):
        return []
    way_out = restoring.of_stale(found, manifest_check.read(None), store)
    return [f"help: {way_out}"] if way_out else []


def _unkept(store: Store) -> list[str]:
    found = unkept.find(store)
    return [*unkept.words(found), f"help: {unkept.way_out(found)}"] if found else []


def _remote(store: Store) -> str:
    name = store.remote_name()
    if name is None:
        return "none set; graft release needs one: dvc remote add --default storage /path/or/url"
    try:
        store.missing([], "remote")
    except GraftError as error:
        return f"{name}: out of reach: {error.message}"
    return f"{name}: reachable"


def _training(made: Plan) -> str:
    if "train" not in made.stages:
        return "none"
    if made.steps is None:
        return "known once the data is here" if made.data is None else "as many steps as the records' tokens make"
    if made.steps == 0:
        return "nothing new: the parent's adapter is handed on"
    if made.seconds is None or made.memory_gib is None:
        return f"{made.steps} steps (time and memory are known after a first run here)"
    return f"{made.steps} steps, about {made.seconds:.0f} s and {made.memory_gib:.1f} GiB, as the last run here"


def _evaluation(made: Plan) -> list[str]:
    if made.base_items is None:
        return []
    return [f"the untuned base is asked {counted(made.base_items, 'item')}, too: a first release must be better"]


def _data(made: Plan) -> list[str]:
    if made.prepared is None or made.assembled is None:
        return ["not here yet: dvc pull, or dvc repro brings it"]
    alarms = (f"warning: {line}" for line in funnel.alarms(made.prepared))
    return [*counts.lines(made.prepared, made.assembled), *alarms]


def _words(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
