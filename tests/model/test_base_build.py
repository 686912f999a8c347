"""make base: the same text gives the same bytes, and the base that ships is whole."""

import json
import subprocess
import sys

import pytest

from pipeline.chain.lock import lockfile
from pipeline.common import files
from pipeline.common.errors import GraftError
from pipeline.model.base import readings
from pipeline.model.embedded.base_build import Size, build
from pipeline.model.embedded.base_corpus import PAD, as_document, read_corpus
from tests.conftest import ROOT

BASE = ROOT / "examples/base"
TINY = Size(vocabulary=300, hidden=32, layers=1, heads=1, steps=3, batch=16, length=16, learning_rate=1e-3)
TURN = "<|im_start|>user\nred<|im_end|><|im_start|>assistant\nshoes<|im_end|>"
FILES = {
    "chat_template.jinja",
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
}


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "titles.txt").write_text("red shoes\n蓝色 鞋\n\nsmall fridge 90L\n" * 5, encoding="utf-8")
    (folder / "questions.txt").write_text("red shoes size 40\tboots\n" * 5, encoding="utf-8")
    return folder


def test_two_builds_are_byte_identical(corpus, tmp_path):
    first = build([corpus], tmp_path / "a" / "base", threads=1, size=TINY)
    second = build([corpus / "questions.txt", corpus / "titles.txt"], tmp_path / "b" / "base", threads=1, size=TINY)
    assert first == second
    assert set(first) == FILES


@pytest.mark.slow
def test_build_in_another_process_is_byte_identical(corpus, tmp_path):
    code = (
        "import sys; from pathlib import Path; from pipeline.model.embedded.base_build import Size, build\n"
        f"build([Path(sys.argv[1])], Path(sys.argv[2]), threads=1, size={TINY!r})"
    )
    target = tmp_path / "elsewhere" / "base"
    subprocess.run([sys.executable, "-c", code, corpus, target], cwd=ROOT, check=True, capture_output=True)
    again = {path.name: files.sha256(path) for path in files.files_below(target)}
    assert again == build([corpus], tmp_path / "base", threads=1, size=TINY)


def test_new_base_replaces_the_old_one_and_leaves_nothing_beside_it(corpus, tmp_path):
    target = tmp_path / "out" / "base"
    target.mkdir(parents=True)
    (target / "stale.json").write_text("{}")
    build([corpus], target, threads=1, size=TINY)
    assert {path.name for path in target.iterdir()} == FILES
    assert [path.name for path in target.parent.iterdir()] == ["base"]


def test_failed_build_leaves_the_old_base(corpus, tmp_path, monkeypatch):
    target = tmp_path / "base"
    target.mkdir()
    (target / "config.json").write_text("old")

    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.model.embedded.base_build._swap", die)
    with pytest.raises(KeyboardInterrupt):
        build([corpus], target, threads=1, size=TINY)
    assert (target / "config.json").read_text() == "old"


def test_kill_between_the_two_renames_is_undone_by_the_next_call(corpus, tmp_path):
    old = tmp_path / ".base.old"
    old.mkdir()
    (old / "config.json").write_text("old")
    with pytest.raises(GraftError):
        build([tmp_path / "absent"], tmp_path / "base", threads=1, size=TINY)
    assert (tmp_path / "base" / "config.json").read_text() == "old"


def test_no_path_or_time_in_any_file(corpus, tmp_path):
    target = tmp_path / "base"
    build([corpus], target, threads=1, size=TINY)
    assert [path.name for path in target.iterdir() if str(tmp_path).encode() in path.read_bytes()] == []


@pytest.mark.parametrize(
    ("line", "document"),
    [
        pytest.param("red shoes", "red shoes" + PAD, id="plain-text"),
        pytest.param("red\tshoes", TURN, id="chat-turn"),
        pytest.param("red\tshoes\r", TURN, id="carriage-return-dropped"),
    ],
)
def test_as_document(line, document):
    assert as_document(line) == document


def test_every_problem_of_the_corpus_is_named_at_once(tmp_path):
    (tmp_path / "latin.txt").write_bytes("caf\xe9".encode("latin-1"))
    (tmp_path / "empty.txt").write_text("\n \n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes.md").write_text("not read")
    names = ["absent.txt", "latin.txt", "empty.txt", "folder"]
    with pytest.raises(GraftError) as caught:
        read_corpus([tmp_path / name for name in names])
    assert str(caught.value).replace(f"{tmp_path}/", "") == (
        "base.corpus: absent.txt: No such file or directory\n"
        "  latin.txt: not UTF-8 at byte 3\n"
        "  empty.txt: no text in it\n"
        "  folder: no text in it (files must be named *.txt)\n"
        "  help: name UTF-8 text files or folders of them in params.yaml"
    )


def test_shipped_base_is_small_and_in_the_standard_layout():
    assert {path.name for path in BASE.iterdir()} == FILES
    assert (BASE / "model.safetensors").stat().st_size <= 3_000_000
    assert json.loads((BASE / "config.json").read_text())["architectures"] == ["Qwen2ForCausalLM"]


def test_shipped_base_is_the_one_that_models_lock_pins():
    if not (ROOT / "models.lock").exists():
        pytest.skip("nothing is pinned yet: graft lock")
    lock = lockfile.load(ROOT / "models.lock")
    if lock.base.requested.source != "builtin":
        pytest.skip(f"the base is {lock.base.requested.source}")
    assert {path.name: files.sha256(path) for path in BASE.iterdir()} == lock.base.resolved.sha256


def test_shipped_base_answers_in_its_chat_format():
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(BASE)
    model = AutoModelForCausalLM.from_pretrained(BASE)
    chat = [{"role": "user", "content": "Norvik smartphone 128GB dual sim"}]
    prompt = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt")["input_ids"]
    assert tokenizer.decode(prompt[0]) == as_document("Norvik smartphone 128GB dual sim\t").removesuffix("<|im_end|>")
    with torch.no_grad():
        answer = model.generate(prompt)[0, prompt.shape[1] :]
    assert answer[-1] == model.generation_config.eos_token_id
    assert "\ufffd" not in tokenizer.decode(answer, skip_special_tokens=True)


def test_shipped_tokenizer_gives_the_same_tokens_read_plainly_and_by_autotokenizer():
    assert readings.differences(BASE) == []
    from tokenizers import Tokenizer
    from transformers import AutoTokenizer

    lines = read_corpus([ROOT / "examples/corpus"])[::40]
    plain, auto = Tokenizer.from_file(str(BASE / "tokenizer.json")), AutoTokenizer.from_pretrained(BASE)
    assert [plain.encode(line).ids for line in lines] == auto(lines)["input_ids"]
    assert plain.to_str() == auto.backend_tokenizer.to_str()


@pytest.mark.parametrize("text", ["冰箱 300升", "Ünïcödé ✓ 🚲", "  two  spaces ", "tab\tand\nnewline"])
def test_shipped_tokenizer_writes_any_text(text):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(BASE)
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
