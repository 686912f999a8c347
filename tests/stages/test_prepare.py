import json
import random
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pipeline.common import schema
from pipeline.common.errors import GraftError
from pipeline.data.prepare import prepared as reports
from pipeline.data.prepare import rejects
from pipeline.data.prepare.settings import PrepareSettings
from pipeline.data.reading.increment import FileSpec, Increment
from pipeline.data.records import arrow, jsonl, records
from pipeline.stages import prepare
from tests.stages.conftest import settle

OPTIONS = PrepareSettings(max_reject_share=0.2, min_chars=3, max_chars=40)
SPEC = FileSpec(
    format="csv", encoding="utf-8", delimiter=",", header=False, columns=("title", "kind"), text="title", label="kind"
)
JSONL = FileSpec(format="jsonl", encoding="utf-8", text="title", label="kind")


@dataclass
class Result:
    report: dict
    records: list
    rejects: list


def prepared(folder: Path, options: PrepareSettings = OPTIONS, instruction: str = "", **contents: str):
    (folder / "raw").mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / "raw" / name).write_text(content, encoding="utf-8", errors="surrogatepass")
    specs = {f"raw/{name}": JSONL if name.startswith("json") else SPEC for name in contents}
    increment = Increment(name="winter", task="classification", instruction=instruction, files=specs)
    out = folder / "out"
    out.mkdir(exist_ok=True)
    report = prepare.prepare(increment, folder, options, out)
    table, lost = jsonl.read(out / "records.jsonl"), rejects.read(out / "rejects.jsonl")
    return Result(report=report, records=arrow.records_of(table), rejects=lost.to_pylist())


def rejected(result):
    return result.rejects


def fates(result):
    kept = [(item.file, item.line, "record") for item in result.records]
    return sorted(kept + [(item["file"], item["line"], item["reason"]) for item in rejected(result)])


def check(result, options):
    reports.check(result.report, options.max_reject_share)


def test_a_row_becomes_a_canonical_record(tmp_path):
    result = prepared(tmp_path, instruction="Which kind?", a="  red\tcafe\u0301  fridge , Fridges \n")
    (record,) = result.records
    assert record.messages == [
        {"role": "user", "content": "Which kind?\nred café fridge"},
        {"role": "assistant", "content": "Fridges"},
    ]
    assert record.id == records.content_id(record.messages)
    assert (record.increment, record.file, record.line) == ("winter", "raw/a", 1)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        pytest.param("red fridge", "too few fields", id="too-few-fields"),
        pytest.param("red fridge,a,b", "too many fields", id="too-many-fields"),
        pytest.param('"red fridge,a', "not CSV", id="open-quote"),
        pytest.param("red fri\ufffdge,a", "undecodable characters", id="replacement-character"),
        pytest.param("red fridge,\ufffd", "undecodable characters", id="in-the-label"),
        pytest.param(" \u200b,a", "empty text", id="empty-text"),
        pytest.param("red fridge, ", "empty label", id="empty-label"),
        pytest.param("red <|im_end|> fridge,a", "control tokens of a chat template", id="turn-mark"),
        pytest.param("re,a", "text too short", id="too-short"),
        pytest.param("x" * 41 + ",a", "text too long", id="too-long"),
    ],
)
def test_csv_reject(tmp_path, row, reason):
    result = prepared(tmp_path, a=f"good row,a\n{row}\nother row,a\n")
    assert fates(result) == [("raw/a", 1, "record"), ("raw/a", 2, reason), ("raw/a", 3, "record")]
    assert rejected(result)[0]["raw"] == row


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        pytest.param('{"title": "red fridge"}', "no label", id="no-label"),
        pytest.param('{"title": null, "kind": "a"}', "no text", id="null-text"),
        pytest.param('{"title": ["red"], "kind": "a"}', "text is not a string", id="text-no-string"),
        pytest.param('{"title": "red fridge", "kind": 0.5}', "label is not a string", id="label-no-string"),
        pytest.param('{"title": "red \\ud83d fridge", "kind": "a"}', "undecodable characters", id="lone-surrogate"),
        pytest.param("{", "not JSON", id="not-json"),
        pytest.param("[]", "not a JSON object", id="not-an-object"),
    ],
)
def test_jsonl_reject(tmp_path, row, reason):
    result = prepared(tmp_path, jsonl=row + "\n")
    assert [(item["line"], item["reason"], item["raw"]) for item in rejected(result)] == [(1, reason, row)]


def test_contacts_are_masked_and_counted(tmp_path):
    result = prepared(tmp_path, a="fridge mail a@b.example,x\nfridge tel 13812345678,x\n")
    assert sorted(item.prompt[0]["content"] for item in result.records) == [
        "fridge mail [EMAIL]",
        "fridge tel [PHONE]",
    ]
    assert result.report["masked"] == {"email": 1, "phone": 1}


def test_first_of_duplicates_by_file_and_line_is_kept(tmp_path):
    result = prepared(tmp_path, b="red fridge,x\n", a="other,x\nred  fridge,x\nred fridge,x\n")
    assert fates(result) == [
        ("raw/a", 1, "record"),
        ("raw/a", 2, "record"),
        ("raw/a", 3, "duplicate"),
        ("raw/b", 1, "duplicate"),
    ]


def test_contradicting_labels_reject_every_row_of_the_text(tmp_path):
    result = prepared(tmp_path, a="red fridge,x\nred fridge,x\nblue fridge,x\n", b="red fridge,y\n")
    assert fates(result) == [
        ("raw/a", 1, "conflicting labels"),
        ("raw/a", 2, "conflicting labels"),
        ("raw/a", 3, "record"),
        ("raw/b", 1, "conflicting labels"),
    ]


KEYED = FileSpec(format="jsonl", encoding="utf-8", text="title", label="kind")


def keyed(folder: Path, *rows: tuple[str, str, str], policy: str = "drop", evaluation: tuple[str, ...] = (), **files):
    """Records that (title, key, date) rows come to, all of one label unless the title says `title|label`."""
    named = files or {"json": rows}
    (folder / "raw").mkdir(parents=True)
    for name, content in named.items():
        lines = [
            json.dumps({"title": t.partition("|")[0], "kind": t.partition("|")[2] or "x", "sku": k, "day": d})
            for t, k, d in content
        ]
        (folder / "raw" / name).write_text("\n".join(lines))
    increment = Increment(
        name="winter", task="classification", instruction="", files={f"raw/{name}": KEYED for name in named},
        key="sku", date="day", evaluation=evaluation,
    )  # fmt: skip
    (folder / "out").mkdir()
    prepare.prepare(increment, folder, replace(OPTIONS, conflicts=policy, max_chars=400), folder / "out")
    return arrow.records_of(jsonl.read(folder / "out/records.jsonl"))


@pytest.mark.parametrize("policy", ["drop", "keep_newest", "majority"])
def test_order_of_rows_with_keys_and_dates_does_not_count(tmp_path, policy):
    source = random.Random(8)  # noqa: S311
    titles = [f"chair {name}" for name in ("oak", "ash", "elm", "fir", "yew", "box")]
    rows = [
        (
            f"{source.choice(titles)}|{source.choice('xxy')}",
            f"K{source.randrange(9)}",
            f"2026-01-{source.randrange(10, 30)}",
        )
        for _ in range(60)
    ]
    found = set()
    for turn in range(4):
        source.shuffle(rows)
        made = keyed(tmp_path / str(turn), *rows, policy=policy)
        found.add(tuple((item.id, item.key, item.date) for item in made))
    assert len(found) == 1


def test_the_newest_version_is_that_of_the_latest_day_however_days_are_written(tmp_path):
    rows = [("chair in oak", "K1", "9/30/2026"), ("chair in elm", "K1", "10/01/2026"), ("desk", "K2", "10/01/2026")]
    made = {item.key: item for item in keyed(tmp_path / "1", *rows)}
    assert made["K1"].messages[0]["content"] == "chair in elm"
    assert made["K1"].date == "2026-10-01"
    settled = [("chair in oak|x", "K1", "9/30/2026"), ("chair in oak|y", "K2", "10/01/2026")]
    (kept,) = keyed(tmp_path / "2", *settled, policy="keep_newest")
    assert kept.key == "K2"
    with pytest.raises(GraftError, match="raw/json:2: '2026-13-01' is no date"):
        keyed(tmp_path / "3", ("chair", "K1", "2026-10-01"), ("desk", "K2", "2026-13-01"))


def test_a_file_may_have_a_key_column_of_its_own(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "out").mkdir()
    for name, column in (("a", "sku"), ("b", "article")):
        (tmp_path / "raw" / name).write_text(json.dumps({"title": f"chair {name}", "kind": "x", column: f"K{name}"}))
    own = {"raw/a": KEYED, "raw/b": replace(KEYED, key="article")}
    increment = Increment(name="w", task="classification", instruction="", files=own, key="sku")
    prepare.prepare(increment, tmp_path, OPTIONS, tmp_path / "out")
    assert {item.key for item in arrow.records_of(jsonl.read(tmp_path / "out/records.jsonl"))} == {"Ka", "Kb"}


def test_a_repeat_under_another_key_stays_when_its_first_key_moves_on(tmp_path):
    made = keyed(tmp_path, ("chair oak", "K1", "2020"), ("chair oak", "K2", "2024"), ("chair ash", "K1", "2022"))
    assert {(item.prompt[0]["content"], item.key) for item in made} == {("chair oak", "K2"), ("chair ash", "K1")}


@pytest.mark.parametrize("training", ["a", "z"])
def test_what_an_evaluation_file_holds_is_kept_from_there(tmp_path, training):
    long = "solid oak dining table with two drawers and a drop leaf for six people in natural oil finish"
    judged = [("chair oak", "K1", ""), (long, "K2", "")]
    trained = [("chair oak", "K3", ""), (long + "!", "K4", ""), ("chair ash", "K5", "")]
    made = keyed(tmp_path, evaluation=("raw/test",), **{"test": judged, training: trained})
    assert {item.prompt[0]["content"] for item in made if item.file == "raw/test"} == {"chair oak", long}
    assert [item.prompt[0]["content"] for item in made if item.file != "raw/test"] == ["chair ash"]


def conversations(folder: Path, task: str, *rows: dict):
    (folder / "raw").mkdir()
    (folder / "raw/a").write_text("\n".join(map(json.dumps, rows)))
    content = "kto" if task == "kto" else "messages"
    spec = FileSpec(format="jsonl", encoding="utf-8", content=content)
    (folder / "out").mkdir()
    increment = Increment(name="winter", task=task, instruction="", files={"raw/a": spec})
    prepare.prepare(increment, folder, OPTIONS, folder / "out")
    return arrow.records_of(jsonl.read(folder / "out/records.jsonl"))


def talk(question: str, answer: str, **more):
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}], **more}


def test_conversations_with_another_answer_are_not_near_however_long_what_they_share(tmp_path):
    system = {"role": "system", "content": " ".join(f"rule {n}" for n in range(400))}
    rows = [talk(f"What is item {WORDS[n]} for?", f"For {WORDS[n]}.") for n in range(10)]
    rows = [{"messages": [system, *row["messages"]]} for row in rows]
    assert len(conversations(tmp_path, "sft", *rows, rows[0])) == 10


def test_wanted_and_unwanted_answers_are_not_near(tmp_path):
    rows = [talk("Which lamp is brighter?", "The brass one", label=wanted) for wanted in (True, False)]
    assert len(conversations(tmp_path, "kto", *rows)) == 2


WORDS = ["lamp", "sofa", "chair", "spoon", "radio", "kettle", "mirror", "basket", "blanket", "hammer"]


def dirty(seed: int) -> list[str]:
    source = random.Random(seed)  # noqa: S311
    words = ["red", "blue", "fridge", "phone", "\ufffd", 'inch"', ",", "a@b.example", "  ", "long" * 9]
    return ["".join(source.choices(words, k=source.randrange(6))) + "," + source.choice("xxxy") for _ in range(400)]


def test_every_row_is_a_record_or_a_reject(tmp_path):
    lines = dirty(1)
    result = prepared(tmp_path, a="\n".join(lines))
    assert result.report["read"] == len(lines)
    assert [line for _, line, _ in fates(result)] == list(range(1, len(lines) + 1))
    assert result.report["read"] == result.report["records"] + sum(result.report["rejects"].values())
    assert sum(result.report["labels"].values()) == result.report["records"] > 0


def test_order_of_rows_and_files_does_not_change_what_is_trained(tmp_path):
    def content(result):
        return [(item.id, item.messages) for item in result.records]

    lines = dirty(2)
    one = prepared(tmp_path / "1", a="\n".join(lines[:200]), b="\n".join(lines[200:]))
    random.Random(3).shuffle(lines)  # noqa: S311
    two = prepared(tmp_path / "2", c="\n".join(lines[:300]), a="\n".join(lines[300:]))
    assert content(one) == content(two)
    different = ("files", "groups", "examples", "near_duplicates")  # they name files and lines
    assert [one.report[key] for key in one.report if key not in different] == [
        two.report[key] for key in two.report if key not in different
    ]
    assert [item.id for item in one.records] == sorted(item.id for item in one.records)


def test_too_many_rejects_stop_with_reasons_and_places(tmp_path):
    result = prepared(tmp_path, a="good row,x\nbad\nbad\nx,x\nfine row,x\n")
    with pytest.raises(GraftError) as error:
        check(result, OPTIONS)
    assert error.value.message == "winter: 3 of 5 rows rejected (60.0%), prepare.max_reject_share allows 20.0%"
    assert error.value.problems == ("too few fields: 2 (raw/a:2, raw/a:3)", "text too short: 1 (raw/a:4)")
    check(result, replace(OPTIONS, max_reject_share=0.6))


def test_duplicates_alone_never_stop(tmp_path):
    check(prepared(tmp_path, a="red fridge,x\n" * 9), OPTIONS)


def test_nothing_left_is_an_error(tmp_path):
    with pytest.raises(GraftError, match="no row in raw/a"):
        check(prepared(tmp_path, a="\n"), OPTIONS)
    with pytest.raises(GraftError, match="none of 2 rows"):
        check(prepared(tmp_path, a="red fridge,x\nred fridge,y\n"), replace(OPTIONS, max_reject_share=1))


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A repository's files as the stage sees them."""
    root = Path(__file__).parents[2]
    folder = tmp_path / "data/increments/winter"
    (folder / "raw").mkdir(parents=True)
    (folder / "raw/a.csv").write_text("good row,x\nfine row,y\ngood row,x\nother row,\U0001f600\n")
    (folder / "increment.yaml").write_text(
        "version: 1\ntask: classification\ninstruction: ''\nfiles:\n  raw/a.csv: {format: csv, encoding: utf-8, "
        "delimiter: ',', header: false, columns: [title, kind], text: title, label: kind}\n"
    )
    (tmp_path / "params.yaml").write_bytes((root / "params.yaml").read_bytes())
    settle(tmp_path)
    lock = {
        "version": 1,
        "base": {
            "requested": {"source": "builtin", "revision": None},
            "resolved": {"revision": None, "sha256": {"f": "0" * 64}},
        },
        "parent": None,
        "anchor": None,
        "increment": "data/increments/winter",
        "toolchain": {"torch": "2.13.0"},
    }
    (tmp_path / "models.lock").write_text(json.dumps(lock))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def outputs(workspace):
    return {path.name: path.read_bytes() for path in (workspace / "data/prepared").iterdir()}


def test_main_writes_records_rejects_and_report_and_nothing_stale(workspace, capsys):
    stale = workspace / "data/prepared/stale"
    stale.parent.mkdir(parents=True)
    stale.touch()
    prepare.main()
    first = outputs(workspace)
    assert sorted(first) == ["records.jsonl", "rejects.jsonl", "report.json", "review.csv"]
    lines = [json.loads(line) for line in first["records.jsonl"].splitlines()]
    assert [line["id"] for line in lines] == sorted(line["id"] for line in lines)
    assert [problem for line in lines for problem in schema.problems(line, "record")] == []
    (kept,) = [line["id"] for line in lines if line["line"] == 1]
    assert [json.loads(line) for line in first["rejects.jsonl"].splitlines()] == [
        {"file": "raw/a.csv", "line": 3, "reason": "duplicate", "raw": "good row,x", "id": kept, "near": kept}
    ]
    assert "prepare: 4 rows read, 3 records" in capsys.readouterr().out
    prepare.main()
    assert outputs(workspace) == first


def test_a_stopped_run_leaves_its_rejects_and_no_output(workspace):
    (workspace / "data/increments/winter/raw/a.csv").write_text("bad\nworse\nfine row,x\n")
    with pytest.raises(GraftError, match="2 of 3 rows rejected"):
        prepare.main()
    assert outputs(workspace) == {}
    assert len((workspace / ".graft/rejects.jsonl").read_text().splitlines()) == 2
