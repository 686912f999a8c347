"""The job that holds the write token: what it takes from a training, and what it says."""

import shutil
from pathlib import Path

import pytest

from pipeline.ci import results
from tests.conftest import Clone
from tests.workflows.conftest import Forge, done, stopped

BRANCH = "titles"
FSMONITOR = "[core]\n\tfsmonitor = touch {0}\n\thooksPath = {0}\n"


@pytest.fixture
def forge(shared_forge: Forge) -> Forge:
    """The module's forge, without what the test before left in artifacts, comments and calls."""
    for name in ("artifacts", "gh"):
        shutil.rmtree(shared_forge.folder / name)
        (shared_forge.folder / name).mkdir()
    (shared_forge.folder / "gh/comments.json").write_text("[]")
    shared_forge.touches()
    return shared_forge


@pytest.fixture
def event(forge: Forge, tmp_path: Path) -> dict[str, str]:
    """A pull request, and a training's artifact for it."""
    author = forge.clone(tmp_path / "author")
    author.git("switch", "-q", "-c", BRANCH)
    author.commit("More titles")
    author.git("push", "-q", "--force", "origin", BRANCH)
    artifact = forge.folder / "artifacts/trained"
    (artifact / "reports").mkdir(parents=True)
    (artifact / "summary.md").write_text("<!-- graft: candidate -->\n\nfirst\n")
    (artifact / "dvc.lock").write_text("trained\n")
    (artifact / "reports/report.md").write_text("trained\n")
    return forge.propose(BRANCH)


def test_only_named_files_are_committed(forge: Forge, event: dict[str, str], tmp_path: Path) -> None:
    artifact = forge.folder / "artifacts/trained"
    (artifact / ".github/workflows").mkdir(parents=True)
    (artifact / ".github/workflows/check.yml").write_text("on: push\n")
    (artifact / "params.yaml").write_text("gate: none\n")
    (artifact / "reports/more.json").write_text("{}\n")
    done(forge.play("retrain.yml", "commit", tmp_path / "run", event=event))
    bare = Clone(forge.origin)
    changed = set(bare.git("diff", "--name-only", f"{BRANCH}^", BRANCH).splitlines())
    assert {"dvc.lock", "reports/report.md"} < changed <= set(results.NAMES)  # what the training lacks is taken out
    assert bare.git("show", f"{BRANCH}:reports/report.md") == "trained"
    assert bare.git("log", "-1", "--format=%P %an", BRANCH) == f"{event['github.event.pull_request.head.sha']} graft"


@pytest.mark.parametrize(
    ("link", "target"),
    [("reports/report.md", "../.git/config"), ("dvc.lock", ".git/config"), ("reports/plots", "../.git"),
     ("reports", ".git"), ("reports/verdict.json", "/etc/hostname")],
)  # fmt: skip
def test_link_in_the_branch_is_refused_and_nothing_runs(
    forge: Forge, event: dict[str, str], tmp_path: Path, link: str, target: str
) -> None:
    author, marker = Clone(tmp_path / "author"), tmp_path / "ran"
    shutil.rmtree(author.path / link) if (author.path / link).is_dir() else (author.path / link).unlink()
    (author.path / link).symlink_to(target)
    author.commit("A link")
    author.git("push", "-q", "origin", BRANCH)
    for name in ("dvc.lock", "reports/report.md"):
        (forge.folder / "artifacts/trained" / name).write_text(FSMONITOR.format(marker))
    played = stopped(forge.play("retrain.yml", "commit", tmp_path / "run", event=forge.propose(BRANCH)), "Commit")
    assert f"{link}: mode 120000" in played.said
    assert forge.head(BRANCH) == author.git("rev-parse", "HEAD")
    assert "fsmonitor" not in (played.folder / ".git/config").read_text()
    assert not marker.exists()


@pytest.mark.parametrize("name", ["dvc.lock", "reports/verdict.json", "reports", "reports/plots"])
def test_link_in_the_artifact_is_refused(forge: Forge, event: dict[str, str], tmp_path: Path, name: str) -> None:
    path = forge.folder / "artifacts/trained" / name
    if path.is_dir():
        path.rename(tmp_path / "moved")
    path.unlink(missing_ok=True)
    path.symlink_to(tmp_path / "moved" if name == "reports" else tmp_path)
    before = forge.head(BRANCH)
    assert (
        "nothing was taken"
        in stopped(forge.play("retrain.yml", "commit", tmp_path / "run", event=event), "Commit").said
    )
    assert forge.head(BRANCH) == before


def test_huge_file_in_the_artifact_is_refused(forge: Forge, event: dict[str, str], tmp_path: Path) -> None:
    with (forge.folder / "artifacts/trained/reports/metrics.json").open("wb") as file:
        file.truncate(results.LIMIT + 1)  # a hole: no byte is written
    stopped(forge.play("retrain.yml", "commit", tmp_path / "run", event=event), "Commit")


def test_no_code_of_the_branch_runs_beside_the_token(forge: Forge, event: dict[str, str], tmp_path: Path) -> None:
    author, marker = Clone(tmp_path / "author"), tmp_path / "ran"
    for script in (".github/scripts/commit.sh", ".github/scripts/comment.sh"):
        (author.path / script).write_text(f"touch {marker}\n")
    for module in ("pipeline/__init__.py", "pipeline/ci/commit.py", "git.py"):
        (author.path / module).write_text(f"open({str(marker)!r}, 'w')\n")
    (author.path / ".gitattributes").write_text("* text eol=crlf ident filter=evil\n")
    author.commit("Scripts of our own")
    author.git("push", "-q", "origin", BRANCH)
    done(forge.play("retrain.yml", "commit", tmp_path / "run", event=forge.propose(BRANCH)))
    assert Clone(forge.origin).git("show", f"{BRANCH}:reports/report.md") == "trained"
    assert not marker.exists()


def test_branch_that_moved_on_is_not_overwritten(forge: Forge, event: dict[str, str], tmp_path: Path) -> None:
    author = Clone(tmp_path / "author")
    author.commit("Meanwhile")
    author.git("push", "-q", "origin", BRANCH)
    stopped(forge.play("retrain.yml", "commit", tmp_path / "run", event=event), "Commit")
    assert forge.head(BRANCH) == author.git("rev-parse", "HEAD")
    assert forge.comments() == []


def test_comment_is_posted_once_and_then_written_anew(forge: Forge, event: dict[str, str], tmp_path: Path) -> None:
    done(forge.play("retrain.yml", "commit", tmp_path / "first", event=event))
    (forge.folder / "artifacts/trained/summary.md").write_text("<!-- graft: candidate -->\n\nsecond\n")
    event |= {"github.event.pull_request.head.sha": forge.head(BRANCH)}
    done(forge.play("retrain.yml", "commit", tmp_path / "second", event=event))
    assert forge.comments() == ["<!-- graft: candidate -->\n\nsecond\n"]
    assert [call["words"][2] for call in forge.asked("api", "--method")] == ["POST", "PATCH"]


def test_apps_commit_starts_the_check_by_itself(forge: Forge, event: dict[str, str], tmp_path: Path) -> None:
    event |= {"vars.GRAFT_APP_ID": "1", "vars.GRAFT_APP_SLUG": "graft-of-team"}
    done(forge.play("retrain.yml", "commit", tmp_path / "run", event=event))
    assert forge.asked("workflow") == []


def test_app_under_another_name_commits_nothing(forge: Forge, event: dict[str, str], tmp_path: Path) -> None:
    before = forge.head(BRANCH)
    event |= {"vars.GRAFT_APP_ID": "1", "vars.GRAFT_APP_SLUG": "renamed"}
    assert (
        "GRAFT_APP_SLUG" in stopped(forge.play("retrain.yml", "commit", tmp_path / "run", event=event), "Commit").said
    )
    assert forge.head(BRANCH) == before


def test_params_that_break_their_schema_fail_the_check(forge: Forge, event: dict[str, str], tmp_path: Path) -> None:
    edit(Clone(tmp_path / "author"), "params.yaml", "  rank: 8", "  rank: eight")
    played = forge.play("check.yml", "candidate", tmp_path / "run", event=forge.propose(BRANCH))
    assert "train.rank" in stopped(played, "Say what the candidate is").said


def test_other_params_on_a_release_fail_the_check_until_they_are_trained(
    forge: Forge, event: dict[str, str], tmp_path: Path
) -> None:
    edit(Clone(tmp_path / "author"), "params.yaml", "  rank: 8", "  rank: 4")
    event = forge.propose(BRANCH)
    checked = stopped(forge.play("check.yml", "candidate", tmp_path / "run", event=event), "Are the locks current?")
    assert "a sibling of v1.1.0" in checked.summary
    assert "not checked" in checked.summary


def test_forks_other_code_on_a_release_passes_without_any_remote(
    forge: Forge, event: dict[str, str], tmp_path: Path
) -> None:
    edit(Clone(tmp_path / "author"), "pipeline/stages/prepare.py", '"""', '"""In short: ', 1)
    event = forge.propose(BRANCH) | {"github.event.pull_request.head.repo.full_name": "stranger/shop"}
    blind = {"storage": tmp_path / "none", "quarantine": tmp_path / "none"}
    checked = done(forge.play("check.yml", "candidate", tmp_path / "run", event=event, remotes=blind))
    assert "released, upgraded: holds v1.1.0" in checked.summary


def edit(author: Clone, name: str, old: str, new: str, count: int = -1) -> None:
    """Change a file on the branch, and push it."""
    path = author.path / name
    path.write_text(path.read_text().replace(old, new, count))
    author.commit("An edit")
    author.git("push", "-q", "origin", BRANCH)
