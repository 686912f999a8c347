import pytest

from pipeline.common import yaml
from pipeline.common.errors import GraftError
from pipeline.data.reading import increment
from pipeline.data.reading.increment import FileSpec

CSV = FileSpec(
    format="csv",
    encoding="utf-8",
    delimiter="\t",
    header=True,
    columns=("id", "标题", "kind"),
    text="标题",
    label="kind",
)
JSONL = FileSpec(format="jsonl", encoding="gb18030", text="title", label="label")
WRITTEN = """\
# yaml-language-server: $schema=../../../schemas/increment.schema.json
# What this increment brings and how its files are read. Edit freely until the increment is released.
version: 1
task: classification
instruction: Which category?
files:
  raw/a.csv:
    format: csv
    encoding: utf-8
    delimiter: "\\t"
    header: true
    columns: [id, 标题, kind]
    text: 标题
    label: kind
  raw/old/b.jsonl:
    format: jsonl
    encoding: gb18030
    text: title
    label: label
"""


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "2026-01-winter"
    for name in ("raw/a.csv", "raw/old/b.jsonl"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    increment.save(folder, "Which category?", {"raw/old/b.jsonl": JSONL, "raw/a.csv": CSV})
    return folder


def test_save_writes_what_load_reads(folder):
    assert (folder / "increment.yaml").read_text(encoding="utf-8") == WRITTEN
    loaded = increment.load(folder)
    assert (loaded.name, loaded.instruction) == ("2026-01-winter", "Which category?")
    assert loaded.files == {"raw/a.csv": CSV, "raw/old/b.jsonl": JSONL}


@pytest.mark.parametrize("instruction", ["", "two\nlines: yes", "哪一类?", "# no comment", "1.0"])
def test_instruction_survives(folder, instruction):
    increment.save(folder, instruction, {"raw/a.csv": CSV, "raw/old/b.jsonl": JSONL})
    assert increment.load(folder).instruction == instruction


def test_columns_that_look_like_other_yaml_survive(folder):
    spec = FileSpec(
        format="csv",
        encoding="utf-8",
        delimiter=",",
        header=True,
        columns=("1", "true", "a, b", "null"),
        text="1",
        label="true",
    )
    increment.save(folder, "", {"raw/a.csv": spec, "raw/old/b.jsonl": JSONL})
    assert increment.load(folder).files["raw/a.csv"] == spec


def test_join_keeps_what_a_person_wrote(folder):
    path = folder / "increment.yaml"
    path.write_text(WRITTEN.replace("header: true", "header: true # as the shop exports it"))
    (folder / "raw" / "c.csv").touch()
    increment.join(folder, {"raw/c.csv": CSV})
    assert "# as the shop exports it" in path.read_text()
    assert list(increment.load(folder).files) == ["raw/a.csv", "raw/old/b.jsonl", "raw/c.csv"]


def test_every_problem_is_named_with_its_line(folder):
    text = (
        WRITTEN.replace("text: 标题", "text: titel")
        .replace("gb18030", "gb18031")
        .replace("label: label", "label: title")
    )
    (folder / "increment.yaml").write_text(text.replace("raw/a.csv", "raw/gone.csv"))
    with pytest.raises(GraftError) as error:
        increment.load(folder)
    assert [error.value.message.split(": ", 1)[1], *error.value.problems] == [
        "line 13: $.files['raw/gone.csv'].text: 'titel' is not among the columns: id, 标题, kind",
        "line 19: $.files['raw/old/b.jsonl'].label: 'title' is the text's column, too",
        "line 17: $.files['raw/old/b.jsonl'].encoding: 'gb18031' is no encoding that Python knows",
        "raw/gone.csv: no such file",
        "raw/a.csv: not listed under files",
    ]


def test_files_need_not_be_there_to_read_the_instruction(folder):
    (folder / "raw" / "a.csv").unlink()
    assert increment.read(folder).instruction == "Which category?"


@pytest.mark.parametrize("name", ["history", "golden-main"])
def test_names_of_other_slices_are_refused(folder, name):
    with pytest.raises(GraftError, match="kept for slices of another kind"):
        increment.load(folder.rename(folder.with_name(name)))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("version: 1", "version: 2", r"\$.version: must be 1, is 2"),
        ("task: class", "task: reg", r"\$.task"),
        ("raw/a.csv:", "../a.csv:", r"\$.files"),
        ("    header: true\n", "", r"line 7: \$.files\['raw/a.csv'\]"),
    ],
)
def test_schema(folder, old, new, message):
    (folder / "increment.yaml").write_text(WRITTEN.replace(old, new))
    with pytest.raises(GraftError, match=message):
        increment.load(folder)


def test_what_is_said_once_for_all_files(folder):
    (folder / "raw/c.csv").touch()
    increment.save(folder, "", {"raw/old/b.jsonl": JSONL, "raw/a.csv": CSV}, more={"key": "id", "withdrawn": ["B1"]})
    increment.join(
        folder, {"raw/c.csv": CSV}, more={"key": "id", "withdrawn": ["B1", "007"], "evaluation": ["raw/c.csv"]}
    )
    loaded = increment.load(folder)
    assert (loaded.key, loaded.date, loaded.withdrawn, loaded.evaluation) == ("id", None, ("B1", "007"), ("raw/c.csv",))
    assert list(yaml.load_unchecked(folder / "increment.yaml"))[-1] == "files"


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        pytest.param({"task": "sft"}, "task: sft is asked for, the open increment has classification", id="task"),
        pytest.param({"more": {"key": "sku"}}, "key: sku is asked for, the open increment has id", id="key"),
    ],
)
def test_what_contradicts_the_open_increment_is_refused(folder, said, problem):
    increment.save(folder, "", {"raw/old/b.jsonl": JSONL, "raw/a.csv": CSV}, more={"key": "id"})
    with pytest.raises(GraftError, match=problem):
        increment.join(folder, {}, **said)


@pytest.mark.parametrize(
    "spec",
    [
        FileSpec(format="json", content="alpaca", compression="gzip"),
        FileSpec(format="parquet", content="messages"),
        FileSpec(format="arrow", template="{title} by {brand}", label="kind"),
        FileSpec(format="jsonl", content="sharegpt", keys={"messages": "talk", "role": "who"}, roles={"me": "user"}),
        FileSpec(format="csv", delimiter=";", header=True, columns=("prompt", "response"), content="alpaca", quote=""),
    ],
    ids=lambda spec: spec.format,
)
def test_every_entry_survives(folder, spec):
    specs = {"raw/a.csv": spec, "raw/old/b.jsonl": spec}
    increment.save(folder, "", specs, task="classification")
    assert increment.load(folder).files == specs


def test_images_are_not_listed(folder):
    for name in ("raw/images/a.png", "raw/2025-12/images/b.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    assert len(increment.load(folder).files) == 2


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        pytest.param(
            "task: classification",
            "task: text",
            "line 7: $.files['raw/a.csv'].content: table, but the task text",
            id="task",
        ),
        pytest.param(
            "task: class", "key: sku\ntask: class", "line 13: $.files['raw/a.csv'].columns: the key's column", id="key"
        ),
        pytest.param(
            "files:",
            "evaluation: [raw/c.csv]\nfiles:",
            "line 6: $.evaluation[0]: 'raw/c.csv' is not listed",
            id="evaluation",
        ),
        pytest.param(
            "files:",
            "evaluation: [raw/a.csv, raw/old/b.jsonl]\nfiles:",
            "line 6: $.evaluation: no file is left to train on",
            id="all-evaluation",
        ),
        pytest.param("    text: 标题\n", "    template: no slots\n", "template: it names no column", id="template"),
        pytest.param(
            "    text: 标题\n", "    template: '{brand}'\n", "template: 'brand' is not among", id="template-column"
        ),
        pytest.param("    text: title\n", "", "$.files['raw/old/b.jsonl']", id="neither-text-nor-template"),
        pytest.param("    encoding: gb18030\n", "", "the key 'encoding' is missing", id="encoding"),
        pytest.param("    format: jsonl\n", "    format: txt\n", "$.files['raw/old/b.jsonl']", id="txt-is-no-table"),
    ],
)
def test_problems_of_the_new_keys(folder, old, new, problem):
    (folder / "increment.yaml").write_text(WRITTEN.replace(old, new, 1))
    with pytest.raises(GraftError) as error:
        increment.load(folder)
    assert problem in str(error.value)
