"""Settings of train that do not go together, whatever the parent is. Loads no torch."""

import re

from pipeline.common.errors import GraftError
from pipeline.model.adapter.settings import AdapterSettings

QUANTIZED = "qlora"
ON_QUANTIZED = (QUANTIZED, "qexpand")
LORA = ("lora", "dora", QUANTIZED)
# The others need data, change the base for good, or freeze a half: not what a release can hand its child.
INITS = ("default", "gaussian", "orthogonal", "pissa", "olora")
_MANY = re.compile(r"pissa_niter_[1-9][0-9]*")


def refuse_unfit(asked: AdapterSettings) -> None:
    """Raise GraftError with every setting that the method has no use for: none is ignored."""
    lora = asked.method in LORA
    unfit = {
        "init": asked.init != "default" and not lora,
        "rslora": asked.rslora and not lora,
        "lora_plus": asked.lora_plus is not None and not lora,
        "dropout": asked.dropout != 0 and not lora,
        "layers": asked.layers is not None and asked.method == "full",
        "modules": asked.modules is not None and asked.method != "freeze",
        "quantize": asked.quantize != "nf4" and asked.method not in ON_QUANTIZED,
    }
    problems = [
        f"train.{name}: nothing that method {asked.method} has a use for" for name, is_so in unfit.items() if is_so
    ]
    if asked.init not in INITS and not _MANY.fullmatch(asked.init):
        problems.append(f"train.init: {asked.init} cannot be handed on; one of {', '.join(INITS)}, pissa_niter_N")
    if asked.from_base and asked.method in ("dora", QUANTIZED):
        problems.append(f"train.init: {asked.init} takes a part off the base, which {asked.method} cannot do exactly")
    if asked.method == "freeze" and asked.layers is None and asked.modules is None:
        problems.append(
            "train.layers, train.modules: freeze needs to know what is trained: {top: N}, a list, a pattern"
        )
    if problems:
        raise GraftError("train: settings that do not go together", problems, help="docs/how-to/methods.md")
