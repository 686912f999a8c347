"""The commit-msg hook, as git runs it; and what pre-commit's fixers make of what git keeps."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.conftest import ENVIRONMENT, ROOT, Chain, Clone

FIXERS = ("end_of_file_fixer", "trailing_whitespace_fixer")
FOREIGN = ("dvc.lock", "examples/")  # DVC writes the lock; the base and the samples are pinned as they are


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
        "Proceed without a tag", "Alias the option", "Ring the bell", "Weed the list", "  Name it, indented",
        "Ändere die Regel", f"Name {'ü' * 67}", f"Name {'名' * 67}",
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
        ("ADDED a check", "not imperative: ADDED"),
        ("FIXES the gate", "not imperative: FIXES"),
        (f"Name {'ü' * 68}", "more than 72 characters"),
        ("4 files", "does not begin with a capital letter"),
    ],
)
def test_other_subjects_are_refused_with_the_reason(repository: Path, message: str, said: str) -> None:
    done = commit(repository, "pipeline/a.py", message)
    assert done.returncode != 0
    assert said in done.stderr


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
@pytest.mark.parametrize(
    ("message", "configured", "code"),
    [
        pytest.param("; a comment\nName it\n", {"core.commentChar": ";"}, 0, id="another-comment-character"),
        pytest.param(
            "Name it\n# ------------------------ >8 ------------------------\nfixes.", {}, 0, id="verbose-diff-below"
        ),
        pytest.param(
            "# ------------------------ >8 ------------------------\ndiff --git a b\n",
            {},
            0,
            id="nothing-above-the-diff",
        ),
        pytest.param("\n# only comments\n", {}, 0, id="an-empty-message-is-gits-business"),
        pytest.param("# a comment\n\n  Named it\n", {}, 1, id="comments-and-blank-lines-first"),
    ],
)
def test_a_message_is_read_as_git_reads_it(
    repository: Path, locale: str, message: str, configured: dict[str, str], code: int
) -> None:
    (repository / "pipeline").mkdir()
    (repository / "pipeline/a.py").write_text("1")
    subprocess.run(["git", "add", "."], cwd=repository, check=True, env=ENVIRONMENT)
    for name, value in configured.items():
        subprocess.run(["git", "config", name, value], cwd=repository, check=True, env=ENVIRONMENT)
    (repository / "message").write_text(message)
    command = [".githooks/commit-msg", "message"]
    done = subprocess.run(
        command, cwd=repository, env=ENVIRONMENT | {"LC_ALL": locale}, capture_output=True, check=False
    )
    assert done.returncode == code, done.stderr


def test_commits_of_data_are_free(repository: Path) -> None:
    assert commit(repository, "data/increments/2026-02-spring/increment.yaml", "Spring titles").returncode == 0


@pytest.mark.parametrize("revision", ["main", "origin/refused", "rolled-back"])
def test_fixers_of_white_space_change_nothing_that_graft_writes(chain: Chain, tmp_path: Path, revision: str) -> None:
    clone = chain.pulled(tmp_path / "clone", "main" if revision == "rolled-back" else revision)
    if revision == "rolled-back":
        clone.graft("rollback", "v1.0.0", "--why", "too many returns")
    left_out = re.compile(YAML(typ="safe").load(ROOT / ".pre-commit-config.yaml")["exclude"])
    written = [name for name in tracked(clone) if not name.startswith(FOREIGN)]
    assert "reports/manifest.json" in written
    assert {name for name in tracked(clone) if left_out.match(name)} >= {"dvc.lock", "examples/base/tokenizer.json"}
    for fixer in FIXERS:
        command = [sys.executable, "-m", f"pre_commit_hooks.{fixer}", *written]
        done = subprocess.run(command, cwd=clone.path, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, "")


def tracked(clone: Clone) -> list[str]:
    """The text files that git keeps, as pre-commit would hand them to a fixer."""
    listed = clone.git("ls-files", "-z").rstrip("\0").split("\0")
    return [name for name in listed if b"\0" not in (clone.path / name).read_bytes()]
