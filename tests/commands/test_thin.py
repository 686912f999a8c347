"""graft gc --thin: old releases lose what can be made again, and nothing else; every clone knows it."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ENVIRONMENT, Chain, Clone, samples
from tests.whole.test_chain import tree_hashes

DERIVED = ("data/prepared/records.jsonl", "data/assembled/train.arrow", "models/merged/")
THIN = ("gc", "--thin", "--remote", "--apply")


@dataclass(frozen=True)
class Team:
    """A clone that holds every release, with an origin and a remote of its own."""

    origin: Path
    storage: Path
    owner: Clone

    def clone(self, path: Path) -> Clone:
        subprocess.run(["git", "clone", "-q", self.origin, path], check=True, env=ENVIRONMENT)
        return self._on(Clone(path))

    def copy(self, folder: Path) -> "Team":
        """Another team of the same state, to do harm to."""
        for part in (self.origin, self.storage, self.owner.path):
            shutil.copytree(part, folder / part.name, symlinks=True)
        made = Team(folder / self.origin.name, folder / self.storage.name, Clone(folder / self.owner.path.name))
        made.owner.git("remote", "set-url", "origin", str(made.origin))
        made._on(made.owner)
        return made

    def _on(self, clone: Clone) -> Clone:
        clone.stored_at(self.storage)
        return clone


def team_of(chain: Chain, folder: Path) -> Team:
    """Only what the two releases name: not what the refused candidate left in the chain's remote."""
    owner = chain.pulled(folder / "owner", "v1.0.0")
    owner.git("checkout", "-q", "main")
    owner.dvc("pull", "-q")
    owner.git("clone", "-q", "--bare", str(chain.origin), str(folder / "origin.git"))
    owner.git("remote", "set-url", "origin", str(folder / "origin.git"))
    owner.git("push", "-q", "origin", ":refs/heads/refused")
    owner.git("fetch", "-q", "--prune")
    owner.stored_at(folder / "storage")
    owner.dvc("push", "-q", "--all-tags")
    return Team(folder / "origin.git", folder / "storage", owner)


@pytest.fixture(scope="module")
def whole(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> Team:
    return team_of(chain, tmp_path_factory.mktemp("whole"))


@pytest.fixture
def team(whole: Team, tmp_path: Path) -> Team:
    return whole.copy(tmp_path / "team")


def objects(folder: Path) -> dict[str, int]:
    """What a remote or cache holds: MD5 -> bytes."""
    paths = [path for path in (folder / "files/md5").rglob("*") if path.is_file()]
    return {path.parent.name + path.name: path.stat().st_size for path in paths}


def released(clone: Clone, tag: str) -> dict[str, dict[str, int | str]]:
    return dict(json.loads(clone.git("show", f"{tag}:reports/manifest.json"))["outputs"])


def added(clone: Clone) -> int:
    return sum(row["added_bytes"] for row in json.loads(clone.graft("log", "--json")))


def test_dry_run_deletes_nothing_and_marks_nothing(team: Team) -> None:
    before = objects(team.storage)
    said = team.owner.graft("gc", "--thin", "--remote", "--dry-run")
    assert "would thin: v1.0.0" in said
    assert "nothing was deleted" in said
    assert objects(team.storage) == before
    assert team.owner.git("tag") == "v1.0.0\nv1.1.0"


def test_thinned_release_keeps_state_data_and_reports_and_every_clone_knows(team: Team, tmp_path: Path) -> None:
    said = json.loads(team.owner.graft(*THIN, "--json"))
    assert said["thinned"] == ["v1.0.0"]
    weights = released(team.owner, "v1.0.0")["models/merged/model-adapted-00001-of-00001.safetensors"]
    assert said["remote"]["bytes"] >= int(weights["size"])
    assert "every SHA-256 as released" in team.owner.graft("verify", "v1.1.0", "--remote", "--chain")
    colleague = team.clone(tmp_path / "colleague")
    [newest, oldest] = colleague.graft("log").splitlines()
    assert "on demand (thinned)" in oldest
    assert "on demand" not in newest
    derived = json.loads(colleague.graft("verify", "v1.0.0", "--remote", "--json"))["on_demand"]
    assert [path for path in derived if not path.startswith(DERIVED)] == []
    assert "models/merged/model-adapted-00001-of-00001.safetensors" in derived


def test_thinned_release_is_made_again_by_rollback(team: Team, tmp_path: Path) -> None:
    team.owner.graft(*THIN)
    colleague = team.clone(tmp_path / "colleague")
    said = colleague.graft("rollback", "v1.0.0")
    assert said.index("made again") < said.index("verified") < said.index("switched")
    assert "dvc pull --allow-missing && dvc repro merge" in said
    assert not (colleague.path / ".graft/remake").exists()
    expected = {path: d["sha256"] for path, d in released(team.owner, "v1.0.0").items() if "models/merged" in path}
    assert tree_hashes(colleague, "models/merged") == expected
    assert "every SHA-256 as released" in colleague.graft("verify")


def test_weights_that_a_kept_release_shares_stay(team: Team) -> None:
    shared = "models/merged/model-base-00001-of-00001.safetensors"
    assert released(team.owner, "v1.0.0")[shared] == released(team.owner, "v1.1.0")[shared]
    team.owner.graft(*THIN)
    md5 = team.owner.run("md5sum", shared).split()[0]
    assert md5 in objects(team.storage)


def test_log_adds_up_to_the_remote_before_and_after(team: Team) -> None:
    """Folder listings aside, which the log does not count."""
    for _ in range(2):
        files = {name: size for name, size in objects(team.storage).items() if not name.endswith(".dir")}
        assert added(team.owner) == sum(files.values())
        team.owner.graft(*THIN)


def test_thinning_the_cache_alone_marks_nothing(team: Team) -> None:
    before = objects(team.owner.path / ".dvc/cache")
    team.owner.graft("gc", "--thin", "--apply")
    assert objects(team.owner.path / ".dvc/cache").keys() < before.keys()
    assert team.owner.git("tag") == "v1.0.0\nv1.1.0"
    team.owner.git("checkout", "-q", "v1.0.0")
    team.owner.dvc("pull", "-q")


def test_second_thinning_finds_nothing(team: Team) -> None:
    team.owner.graft(*THIN)
    said = json.loads(team.owner.graft(*THIN, "--json"))
    assert (said["thinned"], said["cache"]["objects"], said["remote"]["objects"]) == ([], 0, 0)


def test_release_that_could_not_be_made_again_is_not_thinned(team: Team) -> None:
    adapter = team.owner.run("git", "show", "v1.0.0:dvc.lock").split("path: models/adapter\n")[1].split()[3]
    listing = json.loads((team.storage / "files/md5" / adapter[:2] / adapter[2:]).read_text())
    lost = next(item["md5"] for item in listing if item["relpath"] == "adapter_model.safetensors")
    (team.storage / "files/md5" / lost[:2] / lost[2:]).unlink()
    before = objects(team.storage)
    assert f"v1.0.0: {lost}" in team.owner.graft(*THIN, code=1)
    assert objects(team.storage) == before
    assert "thin/" not in team.owner.git("tag")


def test_remote_is_not_cleaned_without_knowing_every_branch(team: Team, tmp_path: Path) -> None:
    colleague = team.clone(tmp_path / "colleague")
    colleague.git("checkout", "-q", "-b", "summer")
    colleague.commit("A candidate that the owner has not fetched")
    colleague.git("push", "-q", "origin", "summer")
    assert "summer" in team.owner.graft(*THIN, code=1)
    team.owner.git("fetch", "-q")
    team.owner.graft(*THIN)


def test_data_of_an_open_candidate_stay(team: Team) -> None:
    team.owner.graft("add", "2026-04-more", *samples("2026-03-shuffled"))
    files = sorted(map(str, team.owner.path.glob("data/increments/2026-04-more/raw/*")))
    raw = [line.split()[0] for line in team.owner.run("md5sum", *files).splitlines()]
    for commit in (False, True):  # no commit names them; then one does, whose dvc.lock does not know them yet
        if commit:
            team.owner.commit("Opened")
        team.owner.graft("gc", "--keep", "1", "--apply")
        assert set(raw) <= objects(team.owner.path / ".dvc/cache").keys()
