"""A workspace with a tiny random base, and in it what the stages before would have written."""

import contextlib
import io
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pipeline.chain.commits import outputs
from pipeline.chain.lock import lockfile
from pipeline.common import files, schema, yaml
from pipeline.data.records import arrow, records
from pipeline.data.records.records import Record
from pipeline.model.base import base_files
from pipeline.stages import settings
from tests.conftest import ROOT

LABELS = ["Toy", "Toys", "Book", "Garden Tools"]  # one is the beginning of another; lengths differ


def record(number: int, increment: str = "winter") -> Record:
    label = LABELS[number % len(LABELS)]
    messages = records.classification(f"{label.lower()} {number:03d}", label, "Which category?")
    return Record(
        id=records.content_id(messages), messages=messages, increment=increment, file="raw/a.csv", line=number + 1
    )


def write_records(path: Path, numbers: Sequence[int], increment: str = "winter") -> None:
    arrow.write_records(path, sorted((record(n, increment) for n in numbers), key=lambda item: item.id))


def set_params(folder: Path, **values: Any) -> None:
    """Change params.yaml and what the stage `settings` makes of it; keys are section__key."""
    document = yaml.load_unchecked(folder / "params.yaml")
    for name, value in values.items():
        section, _, key = name.partition("__")
        document[section][key] = value
    yaml.dump(folder / "params.yaml", document)
    settle(folder)


def settle(folder: Path) -> None:
    """What stage `settings` does: write every effective value of the folder's params.yaml."""
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        settings.main()


def release(done: Path, candidate: Path) -> None:
    """What stage `parent` does: hand the state of a finished candidate to another one."""
    parent = files.empty_dir(candidate / "models/parent")
    reports = ("reports/predictions.json", "reports/rules.json")
    for name in ("models/adapter", "data/assembled/slices", "data/assembled/labels.json", *reports):
        copy = shutil.copytree if (done / name).is_dir() else shutil.copy2
        copy(done / name, parent / Path(name).name)
    lock = files.read_json(candidate / "models.lock")
    state = {name: {"md5": "0" * 32} for name in outputs.STATE}
    lock["parent"] = {"release": "v1.0.0", "commit": "0" * 40, "state": state}
    files.write_json(candidate / "models.lock", lock)
    name_what_was_said(candidate)


def name_what_was_said(candidate: Path) -> None:
    """Have models.lock name the parent's predictions as they are now."""
    lock = files.read_json(candidate / "models.lock")
    said = files.md5(candidate / "models/parent/predictions.json")
    lock["parent"]["state"]["reports/predictions.json"] = {"md5": said}
    files.write_json(candidate / "models.lock", lock)


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Qwen2 of 20,000 random parameters, with a tokenizer of single bytes and a chat template."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

    folder = tmp_path_factory.mktemp("base")
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = [*special, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    bytes_only = Tokenizer(models.BPE({symbol: number for number, symbol in enumerate(alphabet)}, []))
    bytes_only.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytes_only.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bytes_only,
        eos_token="<|im_end|>",  # noqa: S106
        pad_token="<|endoftext|>",  # noqa: S106
        additional_special_tokens=special,
    )
    tokenizer.chat_template = (ROOT / "examples/base/chat_template.jinja").read_text()
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, tie_word_embeddings=True, max_position_embeddings=256, eos_token_id=2, pad_token_id=0,
    )  # fmt: skip
    Qwen2ForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def blank(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A candidate before `train`: no parent, 48 records to train on, 12 to evaluate on."""
    folder = tmp_path_factory.mktemp("blank")
    shutil.copytree(tiny_base, folder / "examples/base")
    shutil.copy2(ROOT / "params.yaml", folder)
    shutil.copy2(ROOT / "dvc.yaml", folder)
    no_rules = {"all": {}, "each_slice": {}, "slices": {}}
    set_params(
        folder, train__threads=1, train__epochs=2, train__batch_size=8, train__rank=2, train__alpha=4,
        train__max_length=128, gate__rules=no_rules, gate__inconclusive="warn", gate__unchecked="accept",
        gate__unchecked_reason="a toy", evaluate__robustness=None,
    )  # fmt: skip
    sha256 = {path.name: files.sha256(path) for path in (folder / "examples/base").iterdir()}
    base_files.write_pin(
        base_files.Pin(source="builtin", revision=None, sha256=sha256, store="cache"), folder / "models/base"
    )
    for name in ("parent", "anchor"):
        (folder / "models" / name).mkdir()
        (folder / "models" / name / "NONE").touch()
    write_records(folder / "data/assembled/train.arrow", range(48))
    write_records(folder / "data/assembled/slices/winter.arrow", range(48, 60))
    files.write_json(folder / "data/assembled/labels.json", sorted(LABELS))
    files.write_json(folder / "data/prepared/report.json", {"read": 63, "records": 60, "rejects": {"empty text": 3}})
    fates = {"seen": 0, "conflicts": 0, "golden": 0, "eval": 12, "eval_over_cap": 0, "train_new": 48}
    files.write_json(
        folder / "data/assembled/report.json", {"records": 60, **fates, "replayed": 0, "labels": {"Toy": 48}}
    )
    requested = lockfile.Requested(source="builtin", revision=None)
    base = lockfile.LockedBase(requested=requested, resolved=lockfile.Resolved(revision=None, sha256=sha256))
    increment = "data/increments/winter"
    lock = lockfile.Lock(base=base, parent=None, anchor=None, increment=increment, toolchain={})
    lockfile.save(lock, folder / "models.lock")
    return folder


@pytest.fixture(scope="session")
def finished(blank: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A candidate that went through train, evaluate, gate and merge; tests read it and never write."""
    from pipeline.stages import evaluate, gate, merge, train

    folder = tmp_path_factory.mktemp("finished") / "work"
    shutil.copytree(blank, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for stage in (train, evaluate, gate, merge):
            stage.main()
    return folder


@pytest.fixture
def candidate(blank: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of `blank` to work in; it is the current folder."""
    return _work_in(blank, tmp_path, monkeypatch)


@pytest.fixture
def done(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of `finished` to work in; it is the current folder."""
    return _work_in(finished, tmp_path, monkeypatch)


@pytest.fixture
def child(finished: Path, candidate: Path) -> Path:
    """A candidate whose parent is `finished`, with 16 new records and a slice of its own."""
    release(finished, candidate)
    write_records(candidate / "data/assembled/train.arrow", range(60, 76), "spring")
    write_records(candidate / "data/assembled/slices/spring.arrow", range(76, 84), "spring")
    return candidate


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[[ModuleType], str]:
    """Run a stage's main here, in the current folder; returns what it printed. Its reports fit their schemas."""

    def run_stage(stage: ModuleType) -> str:
        before = {path: path.stat().st_mtime_ns for path in Path("reports").glob("*.json")}
        capsys.readouterr()
        stage.main()
        said = capsys.readouterr().out
        written = [p for p in Path("reports").glob("*.json") if p.stat().st_mtime_ns != before.get(p)]
        assert schema_problems(written) == {}
        return said

    return run_stage


def schema_problems(reports: Iterable[Path]) -> dict[str, list[str]]:
    """What is wrong with reports, by the schemas of their names; those without one are left out."""
    known = [
        path for path in reports if (schema.SCHEMAS / f"{path.stem}.schema.json").is_file() and path.stem != "params"
    ]
    found = {path.name: schema.problems(files.read_json(path), path.stem) for path in known}
    return {name: problems for name, problems in found.items() if problems}


def _work_in(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "work"
    shutil.copytree(source, folder)
    monkeypatch.chdir(folder)
    return folder
