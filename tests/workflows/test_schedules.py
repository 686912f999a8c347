"""refresh.yml and decay.yml: a folder as the source, the shop's own samples as newly labelled data."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, Clone
from tests.workflows.conftest import Forge, bytes_of, done, stopped
from tests.workflows.test_story import few_rows

BELOW = "needs.measure.outputs.below"


def test_new_drop_becomes_a_pull_request_once(forge: Forge, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    few_rows(tmp_path / "source/drop.csv")
    event = {"vars.GRAFT_SOURCE": str(tmp_path / "source")}
    done(forge.play("refresh.yml", "fetch", tmp_path / "first", event=event))
    [opened] = forge.asked("pr", "create")
    branch = opened["words"][opened["words"].index("--head") + 1]
    assert branch.startswith("refresh/drop-")
    assert opened["repo"] == "team/shop"
    author = forge.clone(tmp_path / "reader", branch)
    assert json.loads(author.read("models.lock"))["parent"]["release"] == "v1.1.0"
    assert "drop.csv" in author.read(f"data/increments/{branch.removeprefix('refresh/')}/increment.yaml")
    author.dvc("pull", "-q", "-r", "quarantine", f"data/increments/{branch.removeprefix('refresh/')}/raw.dvc")

    waiting = done(forge.play("refresh.yml", "fetch", tmp_path / "while it waits", event=event))
    assert "nothing new" in waiting.said
    forge.merge(branch)
    merged = done(forge.play("refresh.yml", "fetch", tmp_path / "after", event=event))
    assert "is here already" in merged.said
    assert len(forge.asked("pr", "create")) == 1


def test_source_may_be_a_script_of_the_repository(forge: Forge, tmp_path: Path) -> None:
    admin = forge.clone(tmp_path / "script")
    script = admin.path / "fetch.sh"
    script.write_text(f'#!/bin/sh\ncp "{few_rows(tmp_path / "drop.csv")}" "$1"\n')
    script.chmod(0o755)
    admin.commit("Where our drops come from")
    admin.git("push", "-q", "origin", "main")
    done(forge.play("refresh.yml", "fetch", tmp_path / "run", event={"inputs.source": "fetch.sh"}))
    assert len(forge.asked("pr", "create")) == 1


def test_source_that_cannot_be_read_opens_nothing(forge: Forge, tmp_path: Path) -> None:
    before = bytes_of(forge.quarantine)
    event = {"vars.GRAFT_SOURCE": str(tmp_path / "none; touch here")}
    played = stopped(forge.play("refresh.yml", "fetch", tmp_path / "run", event=event), "Fetch and add")
    assert "none; touch here" in played.said
    assert not (played.folder / "here").exists()
    assert forge.asked("pr") == []
    assert bytes_of(forge.quarantine) == before


@pytest.mark.parametrize(
    "source",
    ["/proc/self/environ", "file:///etc/hostname", "simplecache::file:///etc/hostname", "s3://a::file:///etc/hostname",
     "../origin", "/bin/sh", "link", ".git/config", "http://169.254.169.254/latest/meta-data"],
)  # fmt: skip
def test_who_starts_a_refresh_cannot_read_its_machine(fresh: Clone, source: str) -> None:
    (fresh.path / "link").symlink_to("/etc/hostname")
    fresh.commit("A link")
    command = [sys.executable, "-m", "pipeline.ci.refresh", "--typed", source]
    done = subprocess.run(command, cwd=fresh.path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "not a source to type" in done.stderr or "is outside repository" in done.stderr


def test_newest_tag_off_main_is_not_run(forge: Forge, tmp_path: Path) -> None:
    stranger = forge.clone(tmp_path / "stranger")
    marker = tmp_path / "ran"
    (stranger.path / "pipeline/ci/decay.py").write_text(f"open({str(marker)!r}, 'w')\n")
    stranger.commit("Other code")
    stranger.git("tag", "-a", "v9.0.0", "-m", "v9.0.0")
    stranger.git("push", "-q", "origin", "v9.0.0")
    event = {"vars.GRAFT_LABELLED": "labelled.csv"}
    played = stopped(forge.play("decay.yml", "measure", tmp_path / "1", event=event), "Check out the newest release")
    assert "not on the default branch" in played.said
    event = {"github.ref": "refs/tags/v9.0.0", "github.ref_name": "v9.0.0"}
    stopped(forge.play("release.yml", "verify", tmp_path / "2", event=event), "Is the tag on the default branch?")
    assert not marker.exists()


def test_without_a_source_nothing_runs(forge: Forge, tmp_path: Path) -> None:
    assert forge.play("refresh.yml", "fetch", tmp_path / "refresh") is None
    assert forge.play("decay.yml", "measure", tmp_path / "decay") is None


@pytest.mark.skipif(shutil.which("jq") is None, reason="decay.yml reads JSON with jq: apt-get install jq")
@pytest.mark.parametrize(
    ("fits", "issues"),
    [pytest.param(True, 0, id="fine-no-issue", marks=pytest.mark.slow), pytest.param(False, 1, id="below-an-issue")],
)
def test_decay(forge: Forge, tmp_path: Path, fits: bool, issues: int) -> None:
    labelled = tmp_path / "labelled.csv"
    with (ROOT / "examples/increments/2026-01-winter/products.csv").open(encoding="utf-8") as file:
        rows = list(csv.reader(file))[:60]
    labels = [row[-1] for row in rows[1:]]
    moved = labels if fits else labels[1:] + labels[:1]
    with labelled.open("w", encoding="utf-8") as file:
        csv.writer(file).writerows([rows[0], *([*row[:-1], label] for row, label in zip(rows[1:], moved, strict=True))])
    event = {"vars.GRAFT_LABELLED": str(labelled)}
    played = done(forge.play("decay.yml", "measure", tmp_path / "run", event=event))
    forge.play("decay.yml", "issue", tmp_path / "issue", event=event | {BELOW: played.outputs["below"]})
    measured = json.loads(played.summary)
    assert Clone(played.folder).git("describe", "--tags", "--exact-match") == "v1.1.0"
    opened = forge.asked("issue", "create")
    assert len(opened) == issues, measured
    assert bool(measured["below"]) == bool(issues)
    if issues:
        assert "accuracy" in opened[0]["words"][3]
        assert json.loads(opened[0]["files"]["decay.json"]) == measured
