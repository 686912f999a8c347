"""The commit-msg hook, as git runs it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ENVIRONMENT, ROOT


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", tmp_path], check=True, env=ENVIRONMENT)
    shutil.copytree(ROOT / ".githooks", tmp_path / ".githooks")
    subprocess.run(["git", "config", "core.hooksPath", ".githooks"], cwd=tmp_path, check=True, env=ENVIRONMENT)
    return tmp_path


def commit(folder: Path, path: str, message: str) -> subprocess.CompletedProcess[str]:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(message)
    subprocess.run(["git", "add", path], cwd=folder, check=True, env=ENVIRONMENT)
    return subprocess.run(
        ["git", "commit", "-q", "-m", message], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "message",
    [
        "Refuse a golden file without items", "Round!: weights are rounded once", "Process rows in batches",
        "Merge branch 'main'", "fixup! Refuse", f"Name {'x' * 67}", "Seed the finder\n\nA body may say what it likes.",
    ],
)  # fmt: skip
def test_imperative_subjects_are_taken(repository: Path, message: str) -> None:
    assert commit(repository, "pipeline/a.py", message).returncode == 0


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("Added a check", "not imperative: Added"),
        ("Fixes the gate", "not imperative: Fixes"),
        ("Renaming files", "not imperative: Renaming"),
        ("gate: refuse", "does not begin with a capital letter"),
        (f"Name {'x' * 68}", "more than 72 characters"),
        ("Name it.", "ends with a full stop"),
    ],
)
def test_other_subjects_are_refused_with_the_reason(repository: Path, message: str, said: str) -> None:
    done = commit(repository, "pipeline/a.py", message)
    assert done.returncode != 0
    assert said in done.stderr


def test_commits_of_data_are_free(repository: Path) -> None:
    assert commit(repository, "data/increments/2026-02-spring/increment.yaml", "Spring titles").returncode == 0
