"""merge: a candidate that passed -> merged weights, ready to serve; a refused one -> REFUSED.json and no weights

Exits 0 either way, so that DVC records the outcome and no older weights stay beside a refused adapter.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipeline.chain.lock import lockfile
from pipeline.common import errors, files, params, timing
from pipeline.common.errors import GraftError
from pipeline.data.records import arrow
from pipeline.data.records.records import Messages
from pipeline.model.chat import templates
from pipeline.model.merged import card
from pipeline.model.merged.settings import MergeSettings

ADAPTER = Path("models/adapter")
SLICES = Path("data/assembled/slices")
DECISION = Path("reports/decision.json")
REASONS = Path("reports/reasons.json")
MERGED = Path("models/merged")
COMPARED = 32  # evaluation items whose logits are compared, those with the lowest ids
BATCH = 8  # of them computed at a time
LONGEST = 512  # tokens of one: the last ones
PROBE = [{"role": "text", "content": "Is anybody there?"}]  # compared when there are no evaluation items


def refuse(reasons: list[str], folder: Path) -> None:
    """All that a refused candidate publishes."""
    files.write_json(folder / "REFUSED.json", {"verdict": "refused", "reasons": reasons})
    print("merge: refused by the gate: no weights, only REFUSED.json")


def publish(asked: MergeSettings, threads: int, template: str | None, prompts: list[Messages], folder: Path) -> None:
    """Merge, compare with base + adapter, round, and save what a server loads.

    Raises:
        GraftError: the merged model's logits differ by more than `max_logit_error`.
    """
    print(f"merge: {asked.dtype}; loading torch and the base", flush=True)
    import torch

    from pipeline.model.base import pinned
    from pipeline.model.chat import chat
    from pipeline.model.merged import shards
    from pipeline.model.weights import machine, weights

    device, base = machine.settle(threads), pinned.load()
    talk = chat.load(base.folder, template, needed=False)
    rows = [row[-LONGEST:] for row in talk.beginnings_of(prompts)]
    batches = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
    adapted = weights.add_adapter(weights.load_trained_on(base, ADAPTER).to(device), ADAPTER, base).eval()
    before = [weights.next_logits(adapted, batch) for batch in batches]
    merged = weights.merge(adapted)
    after = [weights.next_logits(merged, batch) for batch in batches]
    difference = float((torch.cat(after) - torch.cat(before)).abs().max())  # NaN when there is one
    check(difference, len(rows), asked.max_logit_error)
    weights.round_to(merged, asked.dtype)
    merged.config.dtype = asked.dtype
    shards.save(merged, ADAPTER, folder)
    copy_unchanged(sorted(base.sha256), base.folder, folder)
    if template is not None:
        publish_template(talk, merged.generation_config, folder)
    adapter = files.sha256(ADAPTER / "adapter_model.safetensors")
    named = card.CardBase(name=base.name, revision=base.revision, fingerprint=base.fingerprint, embedded=base.embedded)
    files.write_text(folder / "README.md", card.markdown(facts(named, adapter, asked.dtype)))


def facts(base: card.CardBase, adapter: str, dtype: str) -> card.CardFacts:
    """What the model card tells, from the lock and the reports of the stages before."""
    lock = lockfile.load()
    return card.CardFacts(
        base=base,
        adapter=adapter,
        dtype=dtype,
        increment=Path(lock.increment).name,
        parent=lock.parent.release if lock.parent else None,
        metrics=files.read_json(Path("reports/metrics.json")),
        training=files.read_json(Path("reports/training.json")),
        prepared=files.read_json(Path("data/prepared/report.json")),
        assembled=files.read_json(Path("data/assembled/report.json")),
    )


def copy_unchanged(names: Iterable[str], base: Path, folder: Path) -> None:
    """Tokenizer, chat template and generation config, byte for byte as the base has them."""
    for name in names:
        if name != "config.json" and not name.startswith("model"):  # weights, and what describes them, are new
            files.write_bytes(folder / name, (base / name).read_bytes())


def publish_template(talk: Any, generation: Any, folder: Path) -> None:
    """The chat template that was trained with, in place of the base's; what ends its turns ends a generation."""
    files.write_text(folder / "chat_template.jinja", talk.template)
    ends = generation.eos_token_id
    known = ends if isinstance(ends, list) else [] if ends is None else [ends]
    if talk.end_of_turn not in known:
        generation.eos_token_id = [talk.end_of_turn, *known]
        generation.save_pretrained(folder)


def check(difference: float, items: int, allowed: float) -> None:
    """Print the largest difference of logits; raise GraftError where it is above what is allowed, or NaN."""
    print(f"merge: largest difference of logits {difference:.2e}, over {items} evaluation items", flush=True)
    if not difference <= allowed:
        raise GraftError(
            f"merge: logits of the merged model differ by {difference:.3g} from base + adapter, {allowed} is allowed",
            help="merge.max_logit_error in params.yaml; a large difference means that the merge is wrong",
        )


def compared(slices: Path) -> list[Messages]:
    """Prompts of the evaluation items to compare, of a text all of it: an even sample, since ids are hashes."""
    found: dict[str, Any] = {}
    for path in sorted(slices.glob("*.arrow")):
        found |= {record.id: record.prompt or record.messages for record in arrow.read_records(path)}
    return [found[key] for key in sorted(found)[:COMPARED]] or [PROBE]


def main() -> None:
    """Read the decision; write models/merged."""
    asked, train = params.load("merge", MergeSettings), params.load_all()["train"]
    files.empty_dir(MERGED)
    if files.read_json(DECISION) != "pass":
        refuse(files.read_json(REASONS), MERGED)
        return
    with timing.measured("merge"):
        publish(asked, train["threads"], templates.text(train["chat_template"]), compared(SLICES), MERGED)


if __name__ == "__main__":
    errors.run(main)
