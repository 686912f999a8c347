"""train.trackers: curves for wandb, tensorboard, mlflow and trackio, through transformers' integrations.

Projects, servers and secrets come from the trackers' own environment variables. They are told the steps' figures
and the model's config, never records or settings; random numbers stay where they were, so no byte changes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from transformers import TrainerControl, TrainerState, TrainingArguments
from transformers.integrations import integration_utils

from pipeline.common import timing
from pipeline.common.errors import GraftError
from pipeline.training.checkpoints import snapshot

FOLDER = timing.FOLDER / "trackers"  # tensorboard --logdir


@dataclass(kw_only=True, slots=True)
class Trackers:
    """Those that are told of every step."""

    callbacks: dict[str, Any]
    arguments: Any
    state: Any

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        """Tell each of them; one that fails is told no more, and the training goes on."""
        self.state.global_step = step
        for name, callback in list(self.callbacks.items()):
            try:
                callback.on_log(self.arguments, self.state, TrainerControl(), logs=dict(figures))
            except Exception as error:
                print(f"train: warning: {name} failed and is told no more ({type(error).__name__})", flush=True)
                del self.callbacks[name]

    def close(self) -> None:
        """End their runs."""
        for name, callback in self.callbacks.items():
            try:
                callback.on_train_end(self.arguments, self.state, TrainerControl())
            except Exception as error:
                print(f"train: warning: {name} failed at its end ({type(error).__name__})", flush=True)


def trackers(names: Sequence[str], model: Any, folder: Path = FOLDER) -> Trackers:
    """Begin a run with each tracker.

    Raises:
        GraftError: a package is missing, or a tracker cannot be reached; each named.
    """
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        raise GraftError(
            f"train.trackers: not installed: {', '.join(missing)}", help=f"pip install {' '.join(missing)}"
        )
    before, problems = snapshot.random_state(), []
    arguments = TrainingArguments(output_dir=str(folder), report_to=[])
    found = Trackers(callbacks={}, arguments=arguments, state=TrainerState())
    for name in names:
        try:
            callback = integration_utils.INTEGRATION_TO_CALLBACK[name]()
            callback.on_train_begin(arguments, found.state, TrainerControl(), model=model)
        except Exception as error:  # whatever their libraries raise; its text may hold secrets
            problems.append(f"{name}: {type(error).__name__}")
        else:
            found.callbacks[name] = callback
    if problems:
        raise GraftError("train.trackers: cannot begin", problems, help="see each tracker's own environment variables")
    snapshot.set_random_state(before)
    return found
