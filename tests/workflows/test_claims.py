"""A contributor's claims (dvc.lock, caches, messages, tags, runs) and what CI makes of them, in real repositories."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.ci import results
from tests.conftest import Clone
from tests.workflows.conftest import WANTED, Forge, done, stopped

BRANCH = "claims"
APP = {"vars.GRAFT_APP_ID": "1", "vars.GRAFT_APP_SLUG": "graft-of-team"}


@pytest.fixture(scope="module")
def trained(shared_forge: Forge, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A pull request's event; its branch holds the workflow's commit, and the artifact what the training uploaded."""
    folder = tmp_path_factory.mktemp("trained")
    author = shared_forge.clone(folder / "author")
    (author.path / "params.yaml").write_text(author.read("params.yaml") + "\n# an input\n")
    push(author)
    event = shared_forge.propose(BRANCH)
    artifact = shared_forge.folder / "artifacts/trained"
    results.write(artifact, results.read(author.path) | {"reports/report.md": b"trained\n"})
    (artifact / "summary.md").write_text("<!-- graft: candidate -->\n")
    done(shared_forge.play("retrain.yml", "commit", folder / "commit", event=event))
    return event | {"commit": shared_forge.head(BRANCH)}


@pytest.fixture
def forge(shared_forge: Forge, trained: dict[str, str]) -> Iterator[Forge]:
    """A forge with that pull request, not merged; what a test does to it is undone."""
    bare, main = Clone(shared_forge.origin), shared_forge.head()
    (shared_forge.folder / "gh/runs.json").write_text("[]")
    shutil.rmtree(shared_forge.folder / "gh/runs", ignore_errors=True)
    yield shared_forge
    bare.git("update-ref", "refs/heads/main", main)
    bare.git("update-ref", f"refs/heads/{BRANCH}", trained["commit"])


@pytest.fixture
def author(forge: Forge, tmp_path: Path) -> Clone:
    """A contributor's clone of main."""
    return forge.clone(tmp_path / "author")


def push(author: Clone, message: str = "Titles") -> None:
    author.git("add", "--all", "--force")
    author.git("commit", "-q", "--allow-empty", "-m", message)
    author.git("push", "-q", "--force", "origin", f"HEAD:{BRANCH}")


def test_only_the_event_says_that_the_head_is_trained(forge: Forge, author: Clone, tmp_path: Path) -> None:
    """The commit looks like the workflow's own in all that a contributor can write."""
    forge.touches("dvc.lock", "reports/report.md")
    author.git("config", "user.name", "graft")
    author.git("config", "user.email", "graft@users.noreply.github.com")
    push(author, "Train the candidate")
    author.git("notes", "add", "-m", "trained by CI")
    author.git("push", "-q", "origin", "refs/notes/*", "HEAD:refs/tags/trained")
    own = forge.push_event(BRANCH, "graft-of-team[bot]") | APP
    cases: list[tuple[dict[str, str], str]] = [
        ({}, "false"),
        ({"github.event.sender.login": "author"}, "true"),
        ({"github.event.sender.login": "graft-of-team"}, "true"),  # a person may be called so
        ({"github.event.sender.login": "github-actions[bot]"}, "true"),
        ({"github.event.after": "0" * 40}, "true"),  # another commit than the head
        ({"github.event.action": "reopened", "github.event.after": ""}, "true"),
        ({"vars.GRAFT_APP_SLUG": "", "github.event.sender.login": "[bot]"}, "true"),  # no App
        ({"github.event.action": "labeled", "github.event.label.name": "docs"}, "false"),
        ({"github.event.action": "labeled", "github.event.label.name": "retrain"}, "true"),
    ]
    for number, (change, wanted) in enumerate(cases):
        played = done(forge.play("retrain.yml", "plan", tmp_path / str(number), event=own | change))
        assert (change, played.outputs) == (change, {"wanted": wanted})


@pytest.mark.parametrize(
    "change",
    [
        {"github.event.pull_request.head.repo.full_name": "stranger/shop"},
        {"github.event.pull_request.base.ref": "a-base-of-their-own"},
    ],
    ids=["fork", "other-base"],
)
def test_nothing_of_a_fork_or_for_another_branch_starts(forge: Forge, tmp_path: Path, change: dict[str, str]) -> None:
    assert forge.play("retrain.yml", "plan", tmp_path / "plan", event=forge.propose(BRANCH) | change) is None


def start(forge: Forge, tmp_path: Path, code: int = 0) -> tuple[Clone, Clone, str]:
    """`pipeline.ci.start` from a checkout of the base on one of the branch."""
    base, candidate = forge.clone(tmp_path / "base"), forge.clone(tmp_path / "candidate", f"origin/{BRANCH}")
    return base, candidate, base.run("python3", "-m", "pipeline.ci.start", str(candidate.path), code=code)


def test_training_starts_from_the_bases_lock_reports_and_remotes(forge: Forge, author: Clone, tmp_path: Path) -> None:
    for name in ("dvc.lock", "reports/verdict.json", "reports/decision.json"):
        (author.path / name).write_text("claimed\n")
    (author.path / "reports/metrics.json").unlink()
    evil = "[core]\nremote = mine\n['remote \"mine\"']\nurl = https://evil.example\n[cache]\ndir = ../docs\n"
    (author.path / ".dvc/config").write_text(evil)
    push(author)
    base, candidate, _ = start(forge, tmp_path)
    assert results.read(candidate.path) == results.read(base.path)
    assert candidate.read(".dvc/config") == base.read(".dvc/config")


def test_committed_cache_run_cache_checkpoint_or_output_is_refused(forge: Forge, author: Clone, tmp_path: Path) -> None:
    names = [
        ".dvc/cache/runs/aa/aaaa/bbbb", ".dvc/cache/files/md5/aa/bb", ".dvc/config.local", ".dvc/tmp/links",
        ".graft/train/checkpoints/f/9.json", ".venv/bin/python", "models/adapter/adapter_model.safetensors",
        "data/increments/2026-04-x/raw/x.csv",
    ]  # fmt: skip
    for name in names:
        (author.path / name).parent.mkdir(parents=True, exist_ok=True)
        (author.path / name).write_text("claimed\n")
    push(author)
    _, candidate, said = start(forge, tmp_path, code=1)
    assert [name for name in names if name not in said] == []
    assert candidate.git("status", "--porcelain") == ""


def test_link_in_place_of_a_cache_or_a_checkpoint_is_refused(forge: Forge, author: Clone, tmp_path: Path) -> None:
    names = [".dvc/cache", ".dvc/config", ".dvc/config.local", ".dvc/tmp", ".graft", ".venv"]
    for name in names:
        path = author.path / name
        shutil.rmtree(path, ignore_errors=True)
        path.unlink(missing_ok=True)
        path.symlink_to("../docs" if name.startswith(".dvc/") else "docs")
    push(author)
    _, candidate, said = start(forge, tmp_path, code=1)
    assert [name for name in names if f"  {name}\n" not in said] == []
    assert candidate.git("status", "--porcelain") == ""


def test_raw_data_swapped_in_the_quarantine_is_not_trained(forge: Forge, author: Clone, tmp_path: Path) -> None:
    (tmp_path / "drop.csv").write_text("id,title,price,category\n1,a lamp,2,home\n2,a doll,3,toys\n")
    author.graft("add", "2026-04-x", str(tmp_path / "drop.csv"))
    author.dvc("push", "-q", "-r", "quarantine", "data/increments/2026-04-x/raw.dvc")
    author.commit("Titles")
    author.git("push", "-q", "--force", "origin", f"HEAD:{BRANCH}")
    for path in (path for path in forge.quarantine.rglob("*") if path.is_file() and path.suffix != ".dir"):
        path.chmod(0o644)
        path.write_bytes(path.read_bytes().replace(b"toys", b"home"))
    event = forge.propose(BRANCH) | {WANTED: "true"}
    played = stopped(forge.play("retrain.yml", "train", tmp_path / "train", event=event), "Train")
    assert "other bytes than git names" in played.said
    assert "Running stage" not in played.said


def accept(forge: Forge, tmp_path: Path, code: int = 0) -> str:
    """`pipeline.ci.accept` on main, as promote.yml calls it."""
    clone = forge.clone(tmp_path / "main")
    environment = {"GH_STATE": str(forge.folder / "gh"), "GH_REPO": "team/shop", "GH_TOKEN": "the default"}
    environment |= {"PATH": f"{forge.folder / 'bin'}:{Path(sys.executable).parent}:/usr/bin:/bin"}
    before = clone.git("rev-parse", "HEAD^")
    return clone.run("python", "-m", "pipeline.ci.accept", before, code=code, **environment)


def test_merged_training_is_accepted(forge: Forge, trained: dict[str, str], tmp_path: Path) -> None:
    run = forge.ran(trained)
    forge.merge(BRANCH)
    head = trained["github.event.pull_request.head.sha"]
    assert f"what CI trained from {head} in run {run}" in accept(forge, tmp_path)


def test_change_after_the_training_is_not_accepted(
    forge: Forge, author: Clone, trained: dict[str, str], tmp_path: Path
) -> None:
    """The workflow's own commit, but for a byte in each of four files."""
    forge.ran(trained)
    author.git("checkout", "-q", f"origin/{BRANCH}")
    for name in ("dvc.lock", "reports/metrics.json", "params.yaml", "pipeline/gate/decide.py"):
        (author.path / name).write_text(author.read(name) + "\n")
    author.git("commit", "-q", "--amend", "--all", "--no-edit")
    author.git("push", "-q", "--force", "origin", f"HEAD:{BRANCH}")
    forge.merge(BRANCH)
    said = accept(forge, tmp_path, code=1)
    assert "dvc.lock: not what CI made" in said
    assert "reports/metrics.json: not what CI made" in said
    assert "params.yaml: not as trained" in said
    assert "pipeline/gate/decide.py: not as trained" in said
    assert "reports/report.md" not in said


def test_run_that_is_not_mains_retraining_proves_nothing(forge: Forge, trained: dict[str, str], tmp_path: Path) -> None:
    changes: list[dict[str, Any]] = [
        {"event": "pull_request"},  # defined by the pull request
        {"event": "workflow_dispatch"},  # on a branch
        {"conclusion": "failure"},
        {"path": ".github/workflows/other.yml"},
        {"display_title": f"train #8 at {trained['github.event.pull_request.head.sha']}"},  # another pull request
        {"display_title": "train #7 at main"},
    ]
    for change in changes:
        forge.ran(trained, **change)
    forge.merge(BRANCH)
    assert "no run of retrain.yml succeeded" in accept(forge, tmp_path, code=1)


def test_expired_artifact_proves_nothing(forge: Forge, trained: dict[str, str], tmp_path: Path) -> None:
    shutil.rmtree(forge.folder / f"gh/runs/{forge.ran(trained)}")
    forge.merge(BRANCH)
    assert "or it has expired" in accept(forge, tmp_path, code=1)


def test_tag_on_the_merged_commit_is_no_release_of_before(forge: Forge, author: Clone, tmp_path: Path) -> None:
    author.git("checkout", "-q", f"origin/{BRANCH}")
    author.git("tag", "-a", "v9.0.0", "-m", "v9.0.0")
    author.git("push", "-q", "origin", "v9.0.0", "HEAD:refs/heads/main")  # a merge that is no squash
    said = accept(forge, tmp_path, code=1)
    Clone(forge.origin).git("tag", "-d", "v9.0.0")
    assert "CI did not train this commit" in said
