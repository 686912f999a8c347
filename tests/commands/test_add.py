"""graft add: what it opens, what it refuses, and that a refusal leaves nothing behind."""

import json
from pathlib import Path

import pytest

from tests.conftest import Chain, Clone, samples

ROWS = "".join(
    f"{n},a fine green spade number {n},Garden Tools\n{n},a small red lamp number {n},Lamps\n" for n in range(40)
)


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    path = tmp_path / "drop.csv"
    path.write_text("id,title,category\n" + ROWS)
    return path


def raw_files(clone: Clone, name: str) -> set[str]:
    return {path.name for path in (clone.path / f"data/increments/{name}/raw").iterdir()}


def test_second_increment_opens_on_the_release_that_the_tree_holds(chain: Chain, tmp_path: Path, drop: Path) -> None:
    clone = chain.pulled(tmp_path / "clone")
    said = clone.graft("add", "2026-04-lamps", str(drop))
    assert "parent: v1.1.0" in said
    lock = json.loads(clone.read("models.lock"))
    assert lock["increment"] == "data/increments/2026-04-lamps"
    assert lock["parent"]["release"] == "v1.1.0"
    shown = [line for line in clone.read(".dvcignore").splitlines() if line.startswith("!")]
    assert shown == ["!/data/increments/2026-04-lamps"]
    assert "data/increments/2026-04-lamps/raw.dvc" in clone.git("ls-files", "--others", "--exclude-standard")
    assert clone.git("ls-files", "--others", "--exclude-standard", "data/increments/2026-04-lamps/raw") == ""


def test_files_join_the_open_increment(fresh: Clone, drop: Path) -> None:
    before = {Path(name).name for name in samples("2026-01-winter")}
    said = fresh.graft("add", "2026-01-winter", str(drop))
    assert "joined" in said
    assert raw_files(fresh, "2026-01-winter") == before | {"drop.csv"}
    assert "raw/drop.csv" in fresh.read("data/increments/2026-01-winter/increment.yaml")
    assert "parent: none" in said


def test_joining_the_same_file_twice_changes_nothing(fresh: Clone, drop: Path) -> None:
    fresh.graft("add", "2026-01-winter", str(drop))
    lock, spec = fresh.read("data/increments/2026-01-winter/raw.dvc"), fresh.read("models.lock")
    fresh.graft("add", "2026-01-winter", str(drop))
    assert (lock, spec) == (fresh.read("data/increments/2026-01-winter/raw.dvc"), fresh.read("models.lock"))


def test_replace_rewrites_the_open_increment(fresh: Clone, drop: Path) -> None:
    fresh.graft("add", "2026-01-winter", str(drop), "--replace")
    assert raw_files(fresh, "2026-01-winter") == {"drop.csv"}


def test_another_name_needs_replace_while_a_candidate_is_open(fresh: Clone, drop: Path) -> None:
    said = fresh.graft("add", "mine", str(drop), code=1)
    assert "candidate 2026-01-winter is open" in said
    assert "--replace" in said
    assert not (fresh.path / "data/increments/mine").exists()
    fresh.graft("add", "mine", str(drop), "--replace")
    assert json.loads(fresh.read("models.lock"))["increment"] == "data/increments/mine"


def test_paths_count_from_where_the_user_stands(fresh: Clone, drop: Path) -> None:
    folder = fresh.path / "docs"
    (folder / "here.csv").write_text(drop.read_text())
    import sys

    Clone(folder).run(
        sys.executable, "-c", "import sys; sys.path.insert(0, '..'); from pipeline.cli import main; main()",
        "add", "2026-01-winter", "here.csv",
    )  # fmt: skip
    assert "here.csv" in raw_files(fresh, "2026-01-winter")


def refused(clone: Clone, *arguments: str, code: int = 1) -> str:
    """What `graft add` says when it refuses, after checking that nothing changed."""
    before = clone.git("status", "--porcelain", "--ignored", "data", "models.lock", ".dvcignore")
    said = clone.graft("add", *arguments, code=code)
    assert clone.git("status", "--porcelain", "--ignored", "data", "models.lock", ".dvcignore") == before
    return said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"", "empty", id="empty"),
        pytest.param(bytes(range(256)) * 40, "binary", id="binary"),
        pytest.param(None, "no such file", id="absent"),
    ],
)
def test_unusable_file_is_refused(fresh: Clone, tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "drop.csv"
    if content is not None:
        path.write_bytes(content)
    assert said in refused(fresh, "2026-01-winter", str(path)).lower()


def test_column_that_does_not_exist_is_refused_and_those_that_do_are_listed(fresh: Clone, drop: Path) -> None:
    said = refused(fresh, "2026-01-winter", str(drop), "--text", "name")
    assert "name" in said
    assert "title" in said


def test_every_bad_file_is_named_at_once(fresh: Clone, drop: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_bytes(b"")
    said = refused(fresh, "2026-01-winter", str(drop), str(tmp_path / "empty.csv"), str(tmp_path / "absent.csv"))
    assert "empty.csv" in said
    assert "absent.csv" in said


@pytest.mark.parametrize("name", ["../outside", "golden-x", "history", ".hidden", "a b"])
def test_name_that_could_leave_the_folder_or_clash_is_refused(fresh: Clone, drop: Path, name: str) -> None:
    assert "not a name for an increment" in refused(fresh, name, str(drop))


def test_no_data_opens_a_candidate_with_the_same_increment(chain: Chain, tmp_path: Path) -> None:
    clone = chain.pulled(tmp_path / "clone")
    clone.graft("add", "--no-data")
    lock = json.loads(clone.read("models.lock"))
    assert lock["parent"]["release"] == "v1.1.0"
    assert lock["increment"] == "data/increments/2026-02-spring"


@pytest.mark.slow  # tests/whole/test_data_chain.py has the same with files that come again
def test_nothing_new_hands_the_adapter_on_and_is_not_released(chain: Chain, tmp_path: Path) -> None:
    clone = chain.pulled(tmp_path / "clone")
    adapter = (clone.path / "models/adapter/adapter_model.safetensors").read_bytes()
    clone.graft("add", "--no-data")
    assert "handed on" in clone.dvc("repro")
    assert (clone.path / "models/adapter/adapter_model.safetensors").read_bytes() == adapter
    clone.commit("Nothing new")
    assert "nothing new" in clone.graft("release", code=1)


def test_full_refresh_unites_the_chain_without_copies(chain: Chain, tmp_path: Path) -> None:
    clone = chain.pulled(tmp_path / "clone")
    clone.graft("add", "2026-refresh", "--full")
    folders = {path.name for path in (clone.path / "data/increments/2026-refresh/raw").iterdir()}
    assert folders == {"2026-01-winter", "2026-02-spring"}
    assert "chain: fresh" in clone.read("params.yaml")
    assert json.loads(clone.read("models.lock"))["parent"]["release"] == "v1.1.0"
    plan = json.loads(clone.graft("plan", "--json"))
    released = json.loads(clone.git("show", "v1.1.0:reports/training.json"))
    assert plan["data"]["new"] > released["records"] / 2
    assert plan["data"]["replayed"] == 0


def test_withdrawn_increment_may_be_added_again(chain: Chain, tmp_path: Path, drop: Path) -> None:
    clone = chain.pulled(tmp_path / "clone")
    clone.graft("rollback", "v1.0.0")
    assert "--replace" in clone.graft("add", "2026-02-spring", str(drop), code=1)
    said = clone.graft("add", "2026-02-spring", str(drop), "--replace")
    assert "parent: v1.0.0" in said
    assert raw_files(clone, "2026-02-spring") == {"drop.csv"}
