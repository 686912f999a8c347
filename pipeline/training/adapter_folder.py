"""Writes what a published adapter has beside its weights: the tokenizer, a card, and the embedded base.

Readers of a chain need the weights and their config alone; these files are for whoever takes the folder elsewhere.
They are the base's own bytes, so that the remote stores them once for all releases.
"""

import json
from pathlib import Path

from huggingface_hub import ModelCardData

from pipeline.common import files
from pipeline.model.adapter import saved_adapter
from pipeline.model.base.pinned import Base

CARD = "README.md"
BASE = "base"  # folder of the embedded base, which no hub has
_OF_WEIGHTS = ("config.json", "generation_config.json", "model")  # files of a base that no tokenizer needs


def complete(folder: Path, base: Base, template: str | None) -> None:
    """Put tokenizer, card and, with the embedded base, the base beside an adapter; name the base in its config.

    Args:
        folder: an adapter's weights and config.
        base: that it was trained on.
        template: Jinja text in place of the base's own chat template.
    """
    name_base(folder, base)
    for name in base.sha256:
        if not name.startswith(_OF_WEIGHTS):
            files.write_bytes(folder / name, (base.folder / name).read_bytes())
        if base.embedded:
            files.write_bytes(folder / BASE / name, (base.folder / name).read_bytes())
    if template is not None:
        files.write_text(folder / "chat_template.jinja", template)
    files.write_text(folder / CARD, card(saved_adapter.read(folder), base))


def name_base(folder: Path, base: Base) -> None:
    """Have the config of an adapter name its base as it is named now.

    An older Graft named the embedded one like a repository of the hub, which anybody could have made.
    """
    config = files.read_json(folder / saved_adapter.CONFIG)
    named = {"base_model_name_or_path": base.name, "revision": base.revision}
    if {key: config.get(key) for key in named} != named:
        files.write_json(folder / saved_adapter.CONFIG, config | named)


def card(adapter: saved_adapter.SavedAdapter, base: Base) -> str:
    """The card, as the Hugging Face hub reads it: the same adapter and base give the same text."""
    front = ModelCardData(
        base_model=base.name if base.revision else None,  # the hub resolves names of its own only
        library_name="peft",
        pipeline_tag="text-generation",
        tags=["graft", adapter.method],
    ).to_yaml()
    revision = f" at `{base.revision}`" if base.revision else ""
    shown = base.name.replace("`", "'")
    facts = [
        f"- base: `{shown}`{revision}{f', here in `{BASE}/`' if base.embedded else ''}",
        f"- base, SHA-256 over its files' hashes: `{base.fingerprint}`",
        f"- method: {adapter.method}",
    ]
    return f"---\n{front}\n---\n\n# An adapter\n\n" + "\n".join(facts) + f"\n\n## Use\n\n{_use(adapter, base)}"


def _use(adapter: saved_adapter.SavedAdapter, base: Base) -> str:
    if adapter.method in saved_adapter.CHANGED:
        return (
            "These are changed tensors of the base, in Graft's own format: load `models/merged` of the same release.\n"
        )
    lines = [
        "from peft import PeftModel",
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        "",
        'folder = "."  # this folder: run it here, or put its path',
        f"base = AutoModelForCausalLM.from_pretrained({_where(base)})",
        "model = PeftModel.from_pretrained(base, folder)",
        "tokenizer = AutoTokenizer.from_pretrained(folder, config=base.config)",
    ]
    text = "```python\n" + "\n".join(lines) + "\n```\n"
    if adapter.quantize:
        text += (
            f"\nIt was trained on the base rounded to {adapter.quantize}; `models/merged` holds what was measured.\n"
        )
    return (
        text + "\nThe merged weights, the figures and the gate's verdict are in the release that this folder is from.\n"
    )


def _where(base: Base) -> str:
    """The base, as an argument of from_pretrained."""
    if base.embedded:
        return f'f"{{folder}}/{BASE}"'
    if base.revision:
        return f"{json.dumps(base.name)}, revision={json.dumps(base.revision)}"
    if base.name.startswith("./"):
        return f'f"{{folder}}/../../" + {json.dumps(base.name.removeprefix("./"))}'
    return json.dumps(base.name)
