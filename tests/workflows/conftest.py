"""A forge of folders: a bare origin with pull requests, the remotes `storage` and `quarantine`, a stand-in for gh."""

import configparser
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from tests.conftest import ENVIRONMENT, KEPT, ROOT, Chain, Clone
from tests.workflows.runner import Played, Runner, Values, load, with_first_on_path

TEAM = "team/shop"
NUMBER = "7"  # of the pull request
WANTED = "needs.plan.outputs.wanted"
_VARIABLES = (
    "GRAFT_APP_ID",
    "GRAFT_APP_SLUG",
    "GRAFT_EXTRAS",
    "GRAFT_LABELLED",
    "GRAFT_RUNNER",
    "GRAFT_SOURCE",
    "TORCH_INDEX",
)
_SECRETS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "GRAFT_APP_KEY", "GRAFT_PUSH_TOKEN")
_LABELLED = "contains(github.event.pull_request.labels.*.name, 'retrain')"


@dataclass(frozen=True)
class Forge:
    """What GitHub and the team's storage are, in one folder."""

    folder: Path

    @property
    def origin(self) -> Path:
        return self.folder / TEAM

    @property
    def storage(self) -> Path:
        return self.folder / "storage"

    @property
    def quarantine(self) -> Path:
        return self.folder / "quarantine"

    def clone(self, path: Path, revision: str = "main") -> Clone:
        subprocess.run(["git", "clone", "-q", self.origin.as_uri(), path], check=True, env=ENVIRONMENT)
        clone = Clone(path)
        clone.git("checkout", "-q", revision)
        return clone

    def head(self, branch: str = "main") -> str:
        return Clone(self.origin).git("rev-parse", f"refs/heads/{branch}")

    def propose(self, branch: str) -> dict[str, str]:
        """The pull request of a branch that is up to date: its merge commit, and what its event says."""
        bare = Clone(self.origin)
        merge = bare.git("commit-tree", f"{branch}^{{tree}}", "-p", "main", "-p", branch, "-m", "Merge")
        bare.git("update-ref", f"refs/pull/{NUMBER}/merge", merge)
        return {
            "github.event_name": "pull_request",
            "github.ref": f"refs/pull/{NUMBER}/merge",
            "github.event.pull_request.number": NUMBER,
            "github.event.pull_request.head.sha": self.head(branch),
            "github.event.pull_request.head.ref": branch,
            "github.event.pull_request.head.repo.full_name": TEAM,
            "github.event.pull_request.base.sha": self.head(),
            "github.event.pull_request.base.ref": "main",
            "github.event.action": "opened",
            "github.event.after": "",
            "github.event.label.name": "",
            "github.event.sender.login": "author",
            _LABELLED: "false",
        }

    def push_event(self, branch: str, sender: str) -> dict[str, str]:
        """The pull request's event after somebody pushed to its branch."""
        head = self.head(branch)
        told = {"action": "synchronize", "after": head, "sender.login": sender}
        return self.propose(branch) | {f"github.event.{name}": value for name, value in told.items()}

    def ran(self, event: Mapping[str, str], /, **changes: Any) -> int:
        """Record that retrain.yml ran for an event and succeeded, with the artifact `trained`; returns its id."""
        runs = json.loads((self.folder / "gh/runs.json").read_text())
        title = Values(event).text(load("retrain.yml")["run-name"])
        run = {"id": len(runs) + 1, "display_title": title, "event": "pull_request_target", "conclusion": "success"}
        run |= {"path": ".github/workflows/retrain.yml"} | changes
        (self.folder / "gh/runs.json").write_text(json.dumps([run, *runs]))  # newest first
        shutil.copytree(self.folder / "artifacts/trained", self.folder / f"gh/runs/{run['id']}/trained", symlinks=True)
        return int(run["id"])

    def merge(self, branch: str) -> None:
        """The button: squash and merge."""
        bare = Clone(self.origin)
        squashed = bare.git("commit-tree", f"{branch}^{{tree}}", "-p", "main", "-m", f"More titles (#{NUMBER})")
        bare.git("update-ref", "refs/heads/main", squashed)

    def play(
        self,
        workflow: str,
        job: str,
        machine: Path,
        *,
        event: Mapping[str, str] = MappingProxyType({}),
        remotes: Mapping[str, Path] = MappingProxyType({}),
    ) -> Played | None:
        """Run a job of a workflow on a machine of its own; None: its `if` says no.

        Args:
            machine: folder of that machine, made for it.
            event: what stands for expressions, beside what holds for every run.
            remotes: DVC remotes that lie elsewhere for this machine.
        """
        values = {f"vars.{name}": "" for name in _VARIABLES} | {f"secrets.{name}": "" for name in _SECRETS}
        values |= {
            "!cancelled()": "true",
            "github.token": "the default",
            "github.ref": "refs/heads/main",
            "github.event.before": Clone(self.origin).git("rev-parse", "main^"),
            "github.run_attempt": "1",
            "github.repository": TEAM,
            "github.server_url": str(self.folder),
            "github.event.repository.default_branch": "main",
            "inputs.source": "",
            "runner.temp": str(machine / "temp"),
        }
        extra = with_first_on_path(self.folder / "bin") | {"GH_STATE": str(self.folder / "gh")}
        runner = Runner(
            origin=self.origin,
            artifacts=self.folder / "artifacts",
            folder=machine,
            values=Values(values | dict(event)),
            extra=extra,
            remotes=remotes,
        )
        return runner.play(workflow, job)

    def comments(self) -> list[str]:
        return [comment["body"] for comment in json.loads((self.folder / "gh/comments.json").read_text())]

    def touches(self, *names: str) -> None:
        """Say which files the pull request touches."""
        (self.folder / "gh/files.json").write_text(json.dumps(names))

    def asked(self, *words: str) -> list[dict[str, Any]]:
        """What gh was asked that began with these words."""
        calls = self.folder / "gh/calls.jsonl"
        every = [json.loads(line) for line in calls.read_text().splitlines()] if calls.exists() else []
        return [call for call in every if call["words"][: len(words)] == list(words)]


def make_forge(chain: Chain, folder: Path) -> Forge:
    """The chain's origin and storage, copied, with the remotes of docs/how-to/pull-requests.md."""
    forge = Forge(folder)
    shutil.copytree(chain.origin, forge.origin)
    shutil.copytree(chain.storage, forge.storage)
    for name in ("gh", "bin", "artifacts", "quarantine"):
        (folder / name).mkdir()
    for name in ("comments", "runs"):
        (folder / f"gh/{name}.json").write_text("[]")
    forge.touches()
    gh = folder / "bin/gh"
    gh.write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT / "tests/workflows/gh.py"} "$@"\n')
    gh.chmod(0o755)
    admin = forge.clone(folder / "admin")
    config = configparser.ConfigParser()
    config.read(admin.path / ".dvc/config")
    for remote in (forge.storage, forge.quarantine):
        config[f"'remote \"{remote.name}\"'"] = {"url": str(remote)}
    with (admin.path / ".dvc/config").open("w") as file:
        config.write(file)
    if KEPT:  # a chain of another day
        for name in (".github", "pipeline/ci", "pipeline/chain", "pipeline/commands", "pipeline/garbage"):
            shutil.copytree(ROOT / name, admin.path / name, dirs_exist_ok=True)
    admin.commit("The remotes")
    admin.git("push", "-q", "origin", "main")
    return forge


@pytest.fixture
def forge(chain: Chain, tmp_path: Path) -> Forge:
    """A forge of its own for one test."""
    return make_forge(chain, tmp_path / "forge")


@pytest.fixture(scope="module")
def shared_forge(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> Forge:
    """One forge on which a module's tests go on, one after the other."""
    return make_forge(chain, tmp_path_factory.mktemp("forge") / "forge")


def bytes_of(folder: Path) -> set[str]:
    """Names of the files below a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def done(played: Played | None) -> Played:
    """A job that ran to its end."""
    assert played is not None, "the job's `if` said no"
    assert played.failed is None, played.said
    return played


def stopped(played: Played | None, step: str) -> Played:
    """A job that ended at this step."""
    assert played is not None, "the job's `if` said no"
    assert played.failed == step, played.said
    return played
