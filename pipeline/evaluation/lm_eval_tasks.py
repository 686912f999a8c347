"""Standard benchmarks: tasks of lm-evaluation-harness, asked of the model as it is served; none by default.

Optional: needs lm_eval (`make setup EXTRAS=lm-eval`). A task is one of the harness's own or a YAML file of the folder
`metrics/lm_eval`; its data lie there, too, or were downloaded before: a stage never fetches any.
docs/how-to/lm-eval.md has a worked example.
"""

import difflib
import logging
import math
import os
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.common.errors import GraftError
from pipeline.evaluation.predict import keys

FOLDER = Path("metrics/lm_eval")
HELP = "docs/how-to/lm-eval.md"
SEED, SHOT_SEED = 0, 1234  # the harness's own: of answers drawn, and of the examples shown before a question
DIGITS = 6
# The Hugging Face libraries read their cache and nothing else. They look once, when they are imported: `load` comes
# before anything that imports them.
OFFLINE = dict.fromkeys(("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_EVALUATE_OFFLINE"), "1")

Results = dict[str, Any]  # $.candidate.lm_eval of schemas/metrics.schema.json


@dataclass(frozen=True, kw_only=True, slots=True)
class Tasks:
    """Tasks as the harness holds them, data included, and the groups that they were asked for by."""

    tasks: Mapping[str, Any]
    groups: Mapping[str, Any]


def load(asked: Sequence[str]) -> Tasks | None:
    """The tasks that `evaluate.lm_eval` names; None without any, and then lm_eval is not imported.

    Raises:
        GraftError: lm_eval is not installed; or a name is no task, or a task's data are not on this machine.
    """
    if not asked:
        return None
    os.environ.update(OFFLINE)
    try:
        import lm_eval  # noqa: F401
    except ImportError:
        raise GraftError(
            f"params.yaml: $.evaluate.lm_eval: asks for {', '.join(asked)}, but lm_eval is not installed",
            help="make setup EXTRAS=lm-eval",
        ) from None
    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    loaded, problems = Tasks(tasks={}, groups={}), list[str]()
    manager = _manager(asked)
    for name in asked:
        try:
            found = manager.load([_known(name, manager.all_tasks)])
            _check(name, found["tasks"])
        except Exception as error:  # tasks hold code of their own: it may raise anything
            problems.append(f"{name}: {_what(error)}")
        else:
            loaded = Tasks(tasks={**loaded.tasks, **found["tasks"]}, groups={**loaded.groups, **found["groups"]})
    if problems:
        raise GraftError(
            "params.yaml: $.evaluate.lm_eval", problems, help=f"{HELP} says where tasks and data come from"
        )
    return loaded


def run(loaded: Tasks, model: Any, tokenizer: Any, batch_size: int) -> Results:
    """What a model comes to in each task.

    Args:
        loaded: of `load`.
        model: causal language model in evaluation mode, merged and rounded as it is served.
        tokenizer: the base's, with the chat template that the model is served with; without one, prompts stay plain.
        batch_size: questions computed at a time.

    Returns:
        `harness`: the version of lm_eval; `tasks`: by name, groups included. Nothing in it tells of time or machine.

    Raises:
        GraftError: a task fails.
    """
    import numpy as np
    import torch
    from lm_eval import evaluator
    from lm_eval.models.huggingface import HFLM

    random.seed(SEED)
    np.random.seed(SHOT_SEED)  # the harness draws from it
    torch.manual_seed(SHOT_SEED)
    for task in loaded.tasks.values():
        task.set_fewshot_seed(seed=SHOT_SEED)
        if task.get_config("num_fewshot") is None:
            task.set_config(key="num_fewshot", value=0)
    model.tie_weights = lambda *_, **__: None  # HFLM ties them once more: a trained head would become the embeddings
    try:
        asked = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=batch_size)
        found = evaluator.evaluate(
            asked,
            {"tasks": dict(loaded.tasks), "groups": dict(loaded.groups)},
            bootstrap_iters=0,
            apply_chat_template=tokenizer.chat_template is not None,
            fewshot_as_multiturn=True,
        )
    except Exception as error:  # tasks hold code of their own: it may raise anything
        raise GraftError(f"params.yaml: $.evaluate.lm_eval: {_what(error)}", help=HELP) from error
    return {
        "harness": version("lm_eval"),
        "tasks": {name: _result(found, name, asked) for name in sorted(found["results"])},
    }


def lines(results: Results) -> Iterator[str]:
    """What is printed: a line for each task."""
    for name, task in results["tasks"].items():
        figures = ", ".join(f"{metric} {value}" for metric, value in task["metrics"].items())
        cut = f"; {task['truncated']} longer than the context, cut" if task.get("truncated") else ""
        yield f"lm_eval {name}: {figures}{cut}"


def _result(found: Mapping[str, Any], name: str, asked: Any) -> dict[str, Any]:
    """Metrics of a task or group, and what they were measured on."""
    told: dict[str, Any] = {"version": str(found["versions"].get(name))}
    samples = {sample["doc_id"]: sample["arguments"] for sample in found["samples"].get(name, [])}
    if samples:
        told |= {
            "shots": int(found["n-shot"].get(name) or 0),
            "items": len(samples),
            "truncated": sum(any(_cut(asked, one) for one in arguments) for arguments in samples.values()),
            "prompts": keys.digest([repr(samples[number]) for number in sorted(samples)]),
        }
    metrics = {
        metric.removesuffix(",none"): _plain(value)
        for metric, value in sorted(found["results"][name].items())
        if "," in metric and isinstance(value, int | float)
    }
    return told | {"metrics": metrics}


def _cut(asked: Any, arguments: Sequence[Any]) -> bool:
    """Whether a question is longer than the context, so that the harness asks its end; rolling ones go by windows."""
    question, more = arguments[0], arguments[1] if len(arguments) > 1 else None
    if isinstance(more, str):  # an answer, which is scored all but its last token
        return bool(len(asked.tok_encode(question + more)) > asked.max_length + 1)
    if isinstance(more, Mapping):
        room = asked.max_length - int(more.get("max_gen_toks", asked.max_gen_toks))
        return bool(len(asked.tok_encode(question)) > room)
    return False


def _plain(value: float) -> float | None:
    return round(float(value), DIGITS) if math.isfinite(value) else None


def _manager(asked: Sequence[str]) -> Any:
    """The harness's index of tasks; of its own thousands only if one of them is asked for."""
    from lm_eval.tasks import TaskManager

    own = TaskManager(include_path=str(FOLDER), include_defaults=False) if FOLDER.is_dir() else None
    if own is not None and set(asked) <= set(own.all_tasks):
        return own
    return TaskManager(include_path=str(FOLDER) if own is not None else None)


def _known(name: str, names: Sequence[str]) -> str:
    if name not in names:
        near = difflib.get_close_matches(name, names, n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else f"; it has none, nor has {FOLDER}/"
        raise GraftError(f"no task of lm_eval{hint}")
    return name


def _check(name: str, tasks: Mapping[str, Any]) -> None:
    """Raise where a task runs what the model writes, which nobody has reviewed; or asks about images."""
    if any(getattr(task, "UNSAFE_CODE", False) or task.get_config("unsafe_code") for task in tasks.values()):
        raise GraftError(f"{name} runs code that the model writes: not in a stage")
    if any(getattr(task, "MULTIMODAL", False) for task in tasks.values()):
        raise GraftError(f"{name} asks about images, and only text is evaluated")


def _what(error: Exception) -> str:
    said = " ".join(str(error).split())
    return said if isinstance(error, GraftError) else f"{type(error).__name__}: {said}"
