"""graft add: files of every format and content, and what is said about them."""

import gzip
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from pipeline.common import yaml
from tests.commands.test_add import ROWS, raw_files, refused
from tests.conftest import CODE, ENVIRONMENT, GRAFT, Clone

NAME = "mine"
WORDS = ["amber", "brass", "copper", "denim", "ebony", "felt", "glass", "hemp", "ivory", "jade"]


def question(number: int) -> str:
    return f"What is {WORDS[number % 10]} {WORDS[number // 10 % 10]} good for in room {number}?"


def spec(clone: Clone) -> Any:
    return yaml.load_unchecked(clone.path / f"data/increments/{NAME}/increment.yaml")


def test_instructions_as_packed_json_need_no_option(fresh: Clone, tmp_path: Path) -> None:
    items = [{"instruction": question(n), "output": f"For {WORDS[n % 7]} number {n}."} for n in range(60)]
    path = tmp_path / "talks.json.gz"
    path.write_bytes(gzip.compress(json.dumps(items).encode()))
    assert "60 rows" in fresh.graft("add", NAME, str(path), "--replace")
    assert spec(fresh)["task"] == "sft"
    pairs = [{"prompt": question(n), "chosen": f"For {WORDS[n % 7]}.", "rejected": "No."} for n in range(60)]
    (tmp_path / "pairs.json").write_text(json.dumps(pairs))
    assert "train.objective" not in fresh.graft("add", NAME, str(tmp_path / "pairs.json"), "--replace")  # by the task
    params = yaml.load_unchecked(fresh.path / "params.yaml")
    params["train"]["objective"] = "sft"
    yaml.dump(fresh.path / "params.yaml", params)
    said = fresh.graft("add", NAME, str(tmp_path / "pairs.json"), "--replace")
    assert "warning: train.objective is sft, which learns nothing from preference records" in said
    assert "help: set train.objective: dpo in params.yaml" in said
    assert "60 rows" in fresh.graft("add", NAME, str(path), "--replace")
    assert dict(spec(fresh)["files"]["raw/talks.json.gz"]) == {
        "format": "json", "compression": "gzip", "encoding": "utf-8", "content": "alpaca",
    }  # fmt: skip


def test_conversations_with_images_as_parquet(fresh: Clone, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    (photos / "old").mkdir(parents=True)
    (photos / "a.png").write_bytes(b"a")
    (photos / "old/b.png").write_bytes(b"b")
    items = [
        {
            "messages": [
                {"role": "user", "content": f"<image>{question(n)}"},
                {"role": "assistant", "content": f"For {WORDS[n % 7]} number {n}."},
            ],
            "images": [["a.png", "old/b.png", "absent.png"][(n % 20 == 7 and 2) or n % 2]],
        }
        for n in range(60)
    ]
    parquet.write_table(pa.Table.from_pylist(items), tmp_path / "talks.parquet")
    said = fresh.graft("add", NAME, str(tmp_path / "talks.parquet"), "--images", str(photos), "--replace")
    assert "60 rows" in said
    assert "3 image not found" in said
    assert raw_files(fresh, NAME) == {"talks.parquet", "images"}
    assert (fresh.path / f"data/increments/{NAME}/raw/images/old/b.png").read_bytes() == b"b"


def test_key_withdrawn_and_evaluation(fresh: Clone, tmp_path: Path) -> None:
    for name in ("new.csv", "judged.csv"):
        (tmp_path / name).write_text(
            "id,title,category\n" + (ROWS if name == "new.csv" else ROWS.replace("a ", "the "))
        )
    (tmp_path / "gone.txt").write_text("B0042\n\n007\nB0042\n")
    options = ["--key", "id", "--withdrawn", str(tmp_path / "gone.txt"), "--evaluation", str(tmp_path / "judged.csv")]
    fresh.graft("add", NAME, str(tmp_path / "new.csv"), *options, "--replace")
    written = spec(fresh)
    assert (written["key"], list(written["withdrawn"])) == ("id", ["B0042", "007"])
    assert list(written["evaluation"]) == ["raw/judged.csv"]
    assert list(written["files"]) == ["raw/judged.csv", "raw/new.csv"]
    (tmp_path / "gone.txt").write_text("B0043\n")
    fresh.graft("add", NAME, str(tmp_path / "new.csv"), "--withdrawn", str(tmp_path / "gone.txt"))
    assert list(spec(fresh)["withdrawn"]) == ["B0042", "007", "B0043"]
    assert spec(fresh)["key"] == "id"


def test_columns_as_dataset_info_names_them(fresh: Clone, tmp_path: Path) -> None:
    items = [{"Frage": question(n), "Antwort": f"For {WORDS[n % 7]} number {n}."} for n in range(60)]
    (tmp_path / "faq.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    info = {"faq": {"file_name": "faq.jsonl", "columns": {"prompt": "Frage", "response": "Antwort"}}}
    (tmp_path / "dataset_info.json").write_text(json.dumps(info))
    said = fresh.graft(
        "add", NAME, str(tmp_path / "faq.jsonl"), "--dataset-info", str(tmp_path / "dataset_info.json"), "--replace"
    )
    assert "60 rows, 60 records" in said
    assert dict(spec(fresh)["files"]["raw/faq.jsonl"]["keys"]) == {"instruction": "Frage", "output": "Antwort"}


def test_what_cannot_be_is_refused(fresh: Clone, tmp_path: Path) -> None:
    (tmp_path / "drop.csv").write_text("id,title,category\n" + ROWS)
    (tmp_path / "text.jsonl").write_text('{"text": "some words"}\n' * 9)
    drop, text = str(tmp_path / "drop.csv"), str(tmp_path / "text.jsonl")
    said = refused(fresh, NAME, drop, text, "--replace")
    assert "drop.csv: classification" in said
    assert "text.jsonl: text" in said
    assert "no column 'sku'" in refused(fresh, NAME, drop, "--key", "sku", "--replace")
    assert "no such folder" in refused(fresh, NAME, drop, "--images", str(tmp_path / "absent"), "--replace")
    assert "raw/drop.csv: table" in refused(fresh, NAME, drop, "--task", "kto", "--replace")
    assert "task: sft is asked for" in fresh.graft("add", "2026-01-winter", drop, "--task", "sft", code=1)


def test_rarer_keys_are_set_by_name_and_contradictions_are_refused(fresh: Clone, tmp_path: Path) -> None:
    path = tmp_path / "drop.csv"
    path.write_text("title;shop\n" + "".join(f"{question(n)};{WORDS[n % 7]}\n" for n in range(60)))
    said = refused(fresh, NAME, str(path), "--replace", "--set", "delimeter=;", code=2)
    assert "did you mean 'delimiter'?" in said
    assert "must not be empty" in refused(fresh, NAME, str(path), "--replace", "--set", "delimiter=", code=2)
    said = refused(fresh, NAME, str(path), "--replace", "--label", "shop", "--set", "label=title", code=2)
    assert "label: said twice, as 'shop' and as 'title'" in said
    assert "must be true or false" in refused(fresh, NAME, str(path), "--replace", "--set", "header=yes", code=2)
    assert "names no column" in refused(fresh, NAME, str(path), "--replace", "--set", "template=Hello", code=2)
    fresh.graft("add", NAME, str(path), "--replace", "--set", "delimiter=;", "--set", "label=shop")
    assert spec(fresh)["files"]["raw/drop.csv"]["label"] == "shop"


def test_how_files_are_read_is_shown(fresh: Clone, tmp_path: Path) -> None:
    for name, first in (("a", 0), ("b", 40)):
        rows = [f"{n},{question(n)},{'lamp' if n % 4 else 'rug'}\n" for n in range(first, first + 40)]
        (tmp_path / f"{name}.csv").write_text("Export\n,product,kind of thing\n" + "".join(rows))
    files = [str(tmp_path / f"{name}.csv") for name in "ab"]
    said = fresh.graft("add", NAME, *files, "--replace", "--instruction", "Which?", "--label", "kind of thing")
    shown = (
        "a.csv, b.csv: csv, utf-8, delimiter comma, header below 1 line, text 'product', label 'kind of thing'\n"
        "  80 rows, 80 records, 2 labels: lamp 60, rug 20\n"
    )
    assert shown in said
    fresh.graft("lock")
    planned = fresh.graft("plan")
    assert "files        a.csv, b.csv: csv, utf-8, delimiter comma" in planned
    assert "2 labels: lamp 60, rug 20" in planned
    assert json.loads(fresh.graft("plan", "--json"))["prepared"]["groups"][0]["commonest"] == {"lamp": 60, "rug": 20}


def test_rejected_rows_do_not_stop_an_instruction(fresh: Clone, tmp_path: Path) -> None:
    (tmp_path / "drop.csv").write_text("id,title,category\n" + ROWS + "B1,,none\nB2,x\n")
    said = fresh.graft("add", NAME, str(tmp_path / "drop.csv"), "--instruction", "Which shelf?", "--replace")
    assert "too few fields" in said


def test_a_person_at_a_terminal_is_asked_for_the_column(fresh: Clone, tmp_path: Path) -> None:
    rows = [f"{question(n)},{WORDS[n % 3]},{['new', 'used'][n % 2]}\n" for n in range(60)]
    (tmp_path / "drop.csv").write_text("what,metal,state\n" + "".join(rows))
    command = [sys.executable, *GRAFT, "add", NAME, str(tmp_path / "drop.csv"), "--replace"]
    said = fresh.graft(*command[command.index("add") :], code=1)
    assert "cannot tell which column holds the label" in said
    assert "metal: amber" in said
    assert "help: name --label COLUMN" in said
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command, cwd=fresh.path, env=ENVIRONMENT | CODE, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        os.write(ours, b"state\n")
        shown = b""
        try:
            while piece := os.read(ours, 4096):
                shown += piece
        except OSError:  # the other end is closed
            pass
    assert process.returncode == 0, shown
    assert b"column of the label" in shown
    assert spec(fresh)["files"]["raw/drop.csv"]["label"] == "state"


def test_a_file_without_rows_is_refused_with_what_helps(fresh: Clone, tmp_path: Path) -> None:
    (tmp_path / "drop.csv").write_text("title,category\n")
    said = refused(fresh, NAME, str(tmp_path / "drop.csv"), "--replace")
    assert "no row in raw/drop.csv" in said
    assert "max_reject_share" not in said


def test_a_file_over_the_limit_is_refused_before_it_is_read(fresh: Clone, tmp_path: Path) -> None:
    with (tmp_path / "drop.csv").open("wb") as file:
        file.truncate(500_000_001)  # sparse: nothing to read
    assert "more than 500,000,000 bytes" in refused(fresh, NAME, str(tmp_path / "drop.csv"), "--replace")
    (tmp_path / "drop.csv.gz").write_bytes(gzip.compress(bytes(1 << 20)) * 500)
    assert "more than 500,000,000 bytes" in refused(fresh, NAME, str(tmp_path / "drop.csv.gz"), "--replace")
