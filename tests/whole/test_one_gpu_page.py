"""The figures in docs/how-to/one-gpu.md are the planner's."""

from collections.abc import Iterator
from dataclasses import replace

from pipeline.model.sizing import cards, fitting, footprint, shapes
from pipeline.model.sizing.footprint import TrainingSetup
from tests.conftest import ROOT
from tests.model.test_footprint import LLAMA31_8B, PEAKS, QWEN_7B

PAGE = ROOT / "docs/how-to/one-gpu.md"
LENGTHS = (256, 1024, 2048, 4096, 8192)


def published() -> Iterator[str]:
    """Qwen's table beside the planner's."""
    known = {str(case.id): case.values for case in PEAKS}
    for name in ("Qwen-7B-LoRA", "Qwen-7B-QLoRA", "Qwen-14B-LoRA"):
        cells = []
        for length in LENGTHS:
            config, run, gb = known[f"{name}-{length}"]
            cells.append(f"{gb} / {footprint.estimate(shapes.read(config), run).peak:.1f}")
        yield f"| {name.replace('-LoRA', ' LoRA').replace('-QLoRA', ' Q-LoRA')} | {' | '.join(cells)} |"


def settings() -> Iterator[str]:
    """What a base of 8 billion parameters needs under settings of this page."""
    shape = shapes.read(LLAMA31_8B)
    base = TrainingSetup(rank=8, micro_batch=1, length=2048)
    for words, run in {
        "`lora`": base,
        "`lora`, `gradient_checkpointing`": replace(base, gradient_checkpointing=True),
        "`lora`, `gradient_checkpointing`, 1024 tokens": replace(base, gradient_checkpointing=True, length=1024),
        "`lora`, `gradient_checkpointing`, 32 tokens learned": replace(base, gradient_checkpointing=True, learned=32),
        "`qlora`": replace(base, method="qlora"),
        "`qlora`, `gradient_checkpointing`": replace(base, method="qlora", gradient_checkpointing=True),
        "`qlora`, `gradient_checkpointing`, `micro_batch: 2`": replace(
            base, method="qlora", gradient_checkpointing=True, micro_batch=2
        ),
        "`full`, `gradient_checkpointing`": replace(base, method="full", gradient_checkpointing=True),
    }.items():
        peak = footprint.estimate(shape, run).peak
        yield f"| {words} | {peak:.1f} | {'yes' if fitting.fits(shape, run, cards.parse('24GB')) else 'no'} |"


def test_tables_are_what_the_planner_says() -> None:
    lines = PAGE.read_text().splitlines()
    for row in (*published(), *settings()):
        assert row in lines


def test_settings_of_the_page_fit_a_card_of_24_gb() -> None:
    run = TrainingSetup(method="qlora", rank=8, micro_batch=2, length=2048, gradient_checkpointing=True)
    for config in (LLAMA31_8B, QWEN_7B):
        assert fitting.fits(shapes.read(config), run, cards.parse("24GB"))
