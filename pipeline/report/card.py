"""The model card: README.md beside the merged weights, as the hub reads it."""

from typing import Any

from pipeline.model.pinned import Base

_TEMPLATE = """---
{front}library_name: transformers
pipeline_tag: text-generation
tags:
- graft
- lora
- merged
---

# A fine-tuned model

{name} with a LoRA adapter merged into it, rounded to {dtype}.

| | |
| --- | --- |
| base | `{name}`{revision} |
| base, SHA-256 over its files' hashes | `{fingerprint}` |
| adapter, SHA-256 | `{adapter}` |
| dtype | {dtype} |

Which data it was trained on, and how well it does, stands in the commit that it was made by:
`models.lock` (base, parent release, increment), `reports/report.md` (verdict, scores per slice, data),
`reports/metrics.json`, and `reports/manifest.json` (SHA-256 of every file, these weights included).

    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained("models/merged")
    tokenizer = AutoTokenizer.from_pretrained("models/merged")
"""


def markdown(base: Base, adapter: str, dtype: str) -> str:
    """The card's text; `adapter` is the SHA-256 of its weights. Holds no clock, host or figure that never repeats."""
    on_hub = base.revision is not None
    facts: dict[str, Any] = {
        "front": f"base_model: {base.name}\n" if on_hub else "",  # the hub resolves names of its own only
        "name": base.name,
        "revision": f" at `{base.revision}`" if on_hub else "",
        "fingerprint": base.fingerprint,
        "adapter": adapter,
        "dtype": dtype,
    }
    return _TEMPLATE.format(**facts)
