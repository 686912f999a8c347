"""graft diff --record: one record through every release, from lineage tables in DVC's cache or remote."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

from pipeline.chain.candidate import candidate
from pipeline.chain.commits import outputs
from pipeline.chain.compare import record_history
from pipeline.chain.store.objects import Store
from pipeline.common.errors import GraftError
from tests.conftest import ENVIRONMENT, Clone

TABLE = "data/assembled/lineage.parquet"
SCHEMA = pa.schema(
    [(name, pa.int64() if name == "line" else pa.string())
     for name in ("id", "increment", "file", "line", "fate", "reason", "near")]
)  # fmt: skip


def named(what: str) -> str:
    return hashlib.sha256(what.encode()).hexdigest()


KETTLE, NEWER, TEST, NEAR, MADE = map(named, ("kettle", "newer kettle", "held out", "nearly the kettle", "made"))
GONE, BACK, FORGOTTEN = map(named, ("withdrawn", "withdrawn, and brought back", "from before lineage was kept"))


def row(name: str, fate: str, reason: str | None = None, near: str | None = None, **other: Any) -> dict[str, Any]:
    origin = {"increment": "2026-02", "file": "raw/a.csv", "line": 12} | other
    return {"id": name, "fate": fate, "reason": reason, "near": near, **origin}


def leaves(name: str, reason: str, by: str | None = None) -> dict[str, Any]:
    """What `assemble` writes of a record of history that leaves: 16 digits of its id, and no origin."""
    return row(name[:16], "dropped", reason, by and by[:16], increment=None, file=None, line=None)


FILLER = [row(named(f"other {n}"), "train", line=n) for n in range(400)]
LINEAGE: dict[str, list[dict[str, Any]] | None] = {
    "v1.0.0": None,  # made before lineage was kept
    "v1.1.0": [
        row(KETTLE, "train"),
        row(KETTLE, "dropped", "duplicate", KETTLE, line=2),
        row(TEST, "eval", "2026-02", line=3),
        row(GONE, "train", line=4),
        row(BACK, "train", line=5),
    ],
    "v1.2.0": [row(KETTLE, "replay"), row(MADE, "augmented", None, KETTLE)],
    "v1.3.0": [
        row(KETTLE, "dropped", "seen", increment="2026-04", file="raw/b.csv", line=7),
        row(NEAR, "dropped", "near-duplicate", KETTLE[:16], increment="2026-04", file="raw/b.csv", line=8),
        *(leaves(name, "withdrawn") for name in (GONE, BACK, FORGOTTEN, TEST)),
    ],
    "v1.4.0": [
        leaves(KETTLE, "superseded", NEWER),
        row(NEWER, "train", increment="2026-05", line=1),
        row(BACK, "train", increment="2026-05", line=2),
    ],
}


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    ordered = sorted(rows, key=lambda item: (item["id"], item["line"] or 0))
    pq.write_table(pa.Table.from_pylist(ordered, SCHEMA), path, row_group_size=50)


def put(store: Path, path: Path) -> str:
    """A file as an object of a cache or remote; returns its name."""
    md5 = hashlib.md5(path.read_bytes()).hexdigest()  # noqa: S324
    target = store / "files/md5" / md5[:2] / md5[2:]
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, target)
    return md5


def stand_on(clone: Clone, parent: str | None) -> None:
    """Move the lock, as `graft add` does."""
    lock = json.loads(clone.read("models.lock"))
    state = {path: {"md5": named(f"{parent}:{path}")[:32]} for path in outputs.STATE}
    lock["parent"] = parent and {"release": parent, "commit": "0" * 40, "state": state}
    (clone.path / "models.lock").write_text(json.dumps(lock, indent=2, sort_keys=True) + "\n")


def release(clone: Clone, tag: str, md5: str | None, parent: str | None) -> None:
    """A commit and tag as `graft release` leaves them, as far as `--record` looks."""
    yaml, path = YAML(), clone.path / "dvc.lock"
    locked = yaml.load(path)
    for stage in locked["stages"].values():
        for side in ("deps", "outs"):
            stage[side] = [entry for entry in stage[side] if entry["path"] != TABLE]
    entry = [{"path": TABLE, "hash": "md5", "md5": md5, "size": 1}] if md5 else []
    locked["stages"]["assemble"]["outs"] += entry
    yaml.dump(locked, path)
    stand_on(clone, parent)
    (clone.path / "reports/manifest.json").write_text(json.dumps({"outputs": {}, "release": tag}))
    clone.git("commit", "-q", "--all", "--message", tag)
    clone.git("tag", "--annotate", tag, "--message", tag)


@pytest.fixture(scope="module")
def origin(shipped: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of five releases, the second of them taken back; its lineage lies in a remote beside it."""
    folder = tmp_path_factory.mktemp("record")
    subprocess.run(["git", "clone", "-q", shipped, folder / "git"], check=True, env=ENVIRONMENT)
    clone, parent = Clone(folder / "git"), None
    for tag, rows in LINEAGE.items():
        md5 = None
        if rows is not None:
            write(folder / "table", rows + FILLER)
            md5 = put(folder / "remote", folder / "table")
        release(clone, tag, md5, parent)
        parent = tag
    (clone.path / "withdrawn.json").write_text('{"v1.2.0": "labels were wrong"}\n')
    clone.commit("Take v1.2.0 back")
    return folder


@pytest.fixture
def clone(origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    """A colleague's clone with an empty cache."""
    subprocess.run(["git", "clone", "-q", origin / "git", tmp_path / "clone"], check=True, env=ENVIRONMENT)
    made = Clone(tmp_path / "clone")
    shutil.copytree(origin / "remote", tmp_path / "remote")
    config = f"[core]\n    remote = storage\n['remote \"storage\"']\n    url = {tmp_path}/remote\n"
    (made.path / ".dvc/config.local").write_text(config)
    monkeypatch.chdir(made.path)
    return made


def trace(asked: str) -> record_history.History:
    return record_history.trace(asked, candidate.tree(), Store())


def test_record_is_followed_through_every_release_from_a_prefix(clone: Clone) -> None:
    said = clone.graft("diff", "--record", KETTLE[:8].upper())
    lines = [" ".join(line.split()) for line in said.splitlines()]
    assert lines == [
        KETTLE,
        "v1.1.0 2026-02 raw/a.csv:12 trained on",
        "v1.1.0 2026-02 raw/a.csv:2 dropped: duplicate",
        "v1.2.0 (withdrawn) 2026-02 raw/a.csv:12 replayed",
        "v1.3.0 2026-04 raw/b.csv:7 dropped: seen",
        f"v1.4.0 dropped: superseded, beside {NEWER[:16]}",
        "",
        "brought by increment 2026-02 (raw/a.csv:12), first in v1.1.0",
        "brought again by 2026-04",
        "trained on by v1.1.0, v1.2.0",
        f"superseded in v1.4.0 by {NEWER[:16]}: from there on neither replayed nor evaluated",
        f"made from it: 1 record: {MADE[:12]} (v1.2.0)",
        f"left out beside it: 1 record: {NEAR[:12]} (v1.3.0)",
        "withdrawn by a rollback: v1.2.0 (labels were wrong)",
        "not recorded: v1.0.0, made before lineage was kept",
    ]


LEFT = "withdrawn in v1.3.0: from there on neither replayed nor evaluated"
NEVER = "no recorded release trained on it"


@pytest.mark.parametrize(
    ("record", "said"),
    [
        pytest.param(GONE, ["trained on by v1.1.0", LEFT], id="trained-on"),
        pytest.param(TEST, [NEVER, "evaluated on in slice 2026-02, since v1.1.0", LEFT], id="held-out"),
        pytest.param(BACK, ["brought again by 2026-05", f"{LEFT}, until v1.4.0 takes it back in"], id="brought-back"),
        pytest.param(FORGOTTEN, ["the increment that brought it is not recorded here", NEVER, LEFT], id="no-origin"),
    ],
)
def test_withdrawn_record_is_shown_to_be_gone(clone: Clone, record: str, said: list[str]) -> None:
    lines = clone.graft("diff", "--record", record).splitlines()
    assert [line for line in said if line not in lines] == []
    assert "  v1.3.0" in "\n".join(line for line in lines if line.endswith("dropped: withdrawn"))


def test_json_holds_every_step(clone: Clone) -> None:
    found = json.loads(clone.graft("diff", "--record", TEST, "--json"))
    assert found["id"] == TEST
    assert [(step["release"], step["increment"], step["fate"], step["reason"]) for step in found["steps"]] == [
        ("v1.1.0", "2026-02", "eval", "2026-02"),
        ("v1.3.0", None, "dropped", "withdrawn"),
    ]
    assert found["not_recorded"] == ["v1.0.0"]
    assert found["related"] == found["gone"] == []


def test_record_that_was_made_names_what_it_was_made_from(clone: Clone) -> None:
    [step] = trace(MADE).steps
    assert (step.fate, step.near, step.withdrawn) == ("augmented", KETTLE, "labels were wrong")


def test_open_candidate_is_the_last_step(clone: Clone) -> None:
    stand_on(clone, "v1.4.0")
    write(Path(TABLE), [row(NEWER, "replay"), *FILLER])
    assert [(step.release, step.fate) for step in trace(NEWER).steps] == [("v1.4.0", "train"), ("candidate", "replay")]


def test_parents_table_in_an_opened_candidate_is_not_the_candidates(clone: Clone, origin: Path) -> None:
    stand_on(clone, "v1.4.0")
    write(Path(TABLE), (LINEAGE["v1.4.0"] or []) + FILLER)
    assert [step.release for step in trace(NEWER).steps] == ["v1.4.0"]


def test_tree_that_holds_a_release_shows_it_once(clone: Clone) -> None:
    write(Path(TABLE), (LINEAGE["v1.4.0"] or []) + FILLER)
    assert [step.release for step in trace(NEWER).steps] == ["v1.4.0"]


def test_unknown_record_is_an_error_with_help(clone: Clone) -> None:
    said = clone.graft("diff", "--record", named("nobody"), code=1)
    assert "no release and no candidate here knows this record" in said
    assert "what v1.0.0 did" in said
    assert "help: docs/how-to/data.md" in said


@pytest.mark.parametrize("asked", ["kettle", "1234567", KETTLE + "0", "../../etc"])
def test_what_is_no_id_is_refused(clone: Clone, asked: str) -> None:
    with pytest.raises(GraftError, match="is no record's id: 8 to 64 hex digits"):
        trace(asked)


def test_beginning_of_several_ids_lists_them(clone: Clone) -> None:
    twins = ["ab" * 4 + "0" * 56, "ab" * 4 + "1" * 56]
    stand_on(clone, "v1.4.0")
    write(Path(TABLE), [row(name, "train") for name in twins])
    with pytest.raises(GraftError, match="2 records begin so") as caught:
        trace("ab" * 4)
    assert list(caught.value.problems) == twins


def test_lineage_that_is_nowhere_is_named_and_the_rest_still_answers(clone: Clone, tmp_path: Path) -> None:
    write(tmp_path / "table", (LINEAGE["v1.3.0"] or []) + FILLER)
    md5 = hashlib.md5((tmp_path / "table").read_bytes()).hexdigest()  # noqa: S324
    (tmp_path / "remote/files/md5" / md5[:2] / md5[2:]).unlink()
    found = trace(KETTLE)
    assert found.gone == ["v1.3.0"]
    assert [step.release for step in found.steps] == ["v1.1.0", "v1.1.0", "v1.2.0", "v1.4.0"]


def test_without_a_remote_it_says_what_is_missing(clone: Clone) -> None:
    (clone.path / ".dvc/config.local").unlink()
    assert "no DVC remote is set" in clone.graft("diff", "--record", KETTLE, code=1)


def test_fetched_once_it_works_offline(clone: Clone, tmp_path: Path) -> None:
    before = trace(KETTLE)
    shutil.rmtree(tmp_path / "remote")
    assert trace(KETTLE) == before


@pytest.mark.parametrize("table", [None, {"id": [KETTLE]}, {name: [1] for name in record_history.COLUMNS}], ids=str)
def test_object_that_is_no_table_is_named(clone: Clone, table: dict[str, list[Any]] | None) -> None:
    trace(KETTLE)
    for path in (clone.path / ".dvc/cache/files/md5").rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            path.write_text("spoiled") if table is None else pq.write_table(pa.table(table), path)
    with pytest.raises(GraftError, match="not a lineage table"):
        trace(KETTLE)


def test_record_takes_no_releases_beside_it(clone: Clone) -> None:
    assert "it takes no A, B" in clone.graft("diff", "v1.0.0", "--record", KETTLE, code=2)
