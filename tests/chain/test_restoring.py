"""Every help that proposes to bring a file back does so when it is typed, wherever the right bytes are."""

import hashlib
import re
import sys
from pathlib import Path

import pytest

from tests.commands.test_release import ready
from tests.commands.test_verify import clone
from tests.conftest import CODE, Chain, Clone

__all__ = ["clone", "ready"]

CONFIG = "models/merged/config.json"
HOOK = "#!/bin/sh\nsed -i 's/$/ /' reports/report.md\ngit add reports/report.md\n"


def follow(clone: Clone, said: str) -> str:
    """Type the commands of a message's help; returns them."""
    [help_] = [line.partition("help: ")[2] for line in said.splitlines() if line.startswith("  help: ")]
    for part in re.sub(r" \(.*?\)", " -m Restored", help_).split("; "):
        command = part.removeprefix("then ").replace("git add --update and ", "git add --update && ")
        clone.run("sh", "-c", "dvc repro -q" if command.startswith("dvc repro") else command)
    return help_


def change(path: Path) -> None:
    """Give a file other bytes, as a file of its own: no link to it changes."""
    text = path.read_bytes()
    path.unlink()
    path.write_bytes(text + b" ")


def objects(root: Path, file: Path) -> Path:
    md5 = hashlib.md5(file.read_bytes()).hexdigest()  # noqa: S324
    return root / "files/md5" / md5[:2] / md5[2:]


def test_a_report_that_a_hook_changed_comes_back_from_the_commit_that_has_it(ready: Clone) -> None:
    hook = ready.path / ".git/hooks/pre-commit"
    hook.write_text(HOOK)
    hook.chmod(0o755)
    (ready.path / "README.md").write_text("ours")
    ready.commit("Our page")
    said = ready.graft("release", code=1)
    assert follow(ready, ready.graft("lock", "--check", code=1)) in said
    ready.graft("lock", "--check")
    assert "tagged: v1.1.0" in ready.graft("release")
    assert "every SHA-256 as released" in ready.graft("verify")


def test_a_report_that_a_hook_changed_in_its_first_commit_is_made_again(ready: Clone) -> None:
    hook = ready.path / ".git/hooks/pre-commit"
    hook.write_text(HOOK)
    hook.chmod(0o755)
    ready.git("reset", "-q", "--soft", "HEAD^")
    ready.commit("Spring titles, by way of a hook")
    ready.git("push", "-q", "--force", "origin", "HEAD:main")
    assert follow(ready, ready.graft("release", code=1)).startswith("dvc repro makes reports/report.md again")
    assert "tagged: v1.1.0" in ready.graft("release")
    assert "every SHA-256 as released" in ready.graft("verify")


@pytest.mark.parametrize("place", ["HEAD", "an earlier commit", "cache", "remote", "remote, and corrupt in the cache"])
def test_a_changed_output_comes_back_from_where_it_is(clone: Clone, tmp_path: Path, place: str) -> None:
    kept = place in ("HEAD", "an earlier commit")
    path = clone.path / ("reports/metrics.json" if kept else CONFIG)
    whole, cached = path.read_bytes(), objects(clone.path / ".dvc/cache", path)
    change(path)
    if place == "an earlier commit":
        clone.commit("Edited")
    if place == "remote":
        cached.unlink()
    if "corrupt" in place:
        change(cached)
    said = clone.graft("verify", code=1)
    expected = {"HEAD": "git checkout HEAD -- reports/metrics.json", "cache": "dvc checkout --force models/merged"}
    expected |= {"an earlier commit": " -- reports/metrics.json && git commit --no-verify"}
    assert expected.get(place, "dvc pull --force models/merged") in follow(clone, said)
    assert path.read_bytes() == whole
    clone.graft("verify")


def test_an_output_that_is_nowhere_is_made_again(clone: Clone, tmp_path: Path) -> None:
    path = clone.path / "reports/report.html"
    for root in (clone.path / ".dvc/cache", tmp_path / "storage"):
        objects(root, path).unlink()
    change(path)
    assert follow(clone, clone.graft("verify", code=1)).startswith(
        "dvc repro makes again what neither the cache nor the remote has: reports/report.html"
    )
    clone.graft("verify")


def test_data_of_the_increment_comes_back_or_its_owner_is_asked(clone: Clone, tmp_path: Path) -> None:
    raw = next((clone.path / "data/increments/2026-02-spring/raw").iterdir())
    places, whole = [objects(root, raw) for root in (clone.path / ".dvc/cache", tmp_path / "storage")], raw.read_bytes()
    change(raw)
    follow(clone, clone.graft("verify", code=1))
    assert raw.read_bytes() == whole
    for place in places:
        place.unlink()
    change(raw)
    assert "whoever added it must dvc push" in clone.graft("verify", code=1)


def test_plan_and_release_name_the_same_way_for_a_stale_output(ready: Clone) -> None:
    change(ready.path / "reports/report.md")
    ready.git("update-index", "--assume-unchanged", "reports/report.md")
    assert "help: git checkout HEAD -- reports/report.md" in ready.graft("plan")


def test_make_run_brings_a_releases_report_back_or_says_how(chain: Chain, tmp_path: Path) -> None:
    held = chain.pulled(tmp_path / "held")
    change(held.path / "reports/report.md")
    said = held.run(sys.executable, "-P", "-m", "pipeline.run", code=1, **CODE)
    assert "help: git checkout HEAD -- reports/report.md" in said
