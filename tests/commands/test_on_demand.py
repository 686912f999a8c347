"""merge.keep: on-demand: what the stages make again is not pushed, and comes back with the same hash."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.chain.commits import outputs
from pipeline.chain.lock import lockfile
from pipeline.chain.verify import manifest_check
from tests.conftest import CODE, ENVIRONMENT, KEPT, ROOT, Chain, Clone
from tests.whole.test_chain import tree_hashes

MODULE = ("-P", "-m") if KEPT else ("-m",)
DERIVED = ("data/prepared/records.jsonl", "data/assembled/train.arrow", "models/merged/")


@dataclass(frozen=True)
class Published:
    """v1.1.0 of the chain, released again with keep: on-demand: an origin and a remote of its own."""

    origin: Path
    storage: Path
    shop: Clone
    said: str  # by graft release
    outputs: dict[str, dict[str, int | str]]  # of its manifest

    def clone(self, path: Path) -> Clone:
        subprocess.run(["git", "clone", "-q", self.origin, path], check=True, env=ENVIRONMENT)
        clone = Clone(path)
        clone.stored_at(self.storage)
        return clone

    def stored(self, path: str) -> Path:
        """Where the remote holds an output of the shop's working tree."""
        md5 = self.shop.run("md5sum", path).split()[0]
        return self.storage / "files/md5" / md5[:2] / md5[2:]


@pytest.fixture(scope="module")
def published(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> Published:
    folder = tmp_path_factory.mktemp("published")
    shop = chain.pulled(folder / "shop")
    shop.git("clone", "-q", "--bare", str(chain.origin), str(folder / "origin.git"))
    shop.git("remote", "set-url", "origin", str(folder / "origin.git"))
    state = "[output['md5'] for output in lockfile.load().parent.state.values()]"
    imports = "from pipeline.chain.lock import lockfile; from pipeline.chain.store.objects import Store"
    shop.python(f"{imports}; Store().fetch({state})")
    (folder / "storage").mkdir()
    shop.stored_at(folder / "storage")
    shop.python(f"{imports}; Store().push({state})")  # a release wants its parent's there
    shop.git("push", "-q", "origin", ":refs/tags/v1.1.0", ":refs/heads/refused")
    shop.git("tag", "-d", "v1.1.0")
    params = shop.read("params.yaml")
    assert "  keep: full " in params
    (shop.path / "params.yaml").write_text(params.replace("  keep: full ", "  keep: on-demand "))
    said = shop.dvc("repro")
    assert set(re.findall(r"Running stage '(\w+)'", said)) == {"settings", "manifest"}  # keep alone merges nothing
    shop.commit("Keep weights on demand")
    said = shop.graft("release", "--push")
    outputs = json.loads(shop.read("reports/manifest.json"))["outputs"]
    return Published(folder / "origin.git", folder / "storage", shop, said, outputs)


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def go_astray(clone: Clone) -> None:
    """Commit what is not the release any more."""
    path = clone.path / "reports/manifest.json"
    path.write_text(path.read_text() + "\n")
    clone.commit("Went astray")


def test_state_is_pushed_also_where_a_derived_output_has_the_same_bytes() -> None:
    """Of a first release train.arrow and reservoir.arrow are one object."""
    same = [
        outputs.Output(path=f"data/assembled/{name}.arrow", md5="0" * 32, cached=True)
        for name in ("train", "reservoir")
    ]
    commit = manifest_check.Commit(
        manifest={}, outputs=same, raw=None, lock=lockfile.load(ROOT / "models.lock"), machine=None, on_demand=True
    )
    assert (commit.objects(), commit.derived()) == ({"0" * 32}, set())


def test_release_pushes_adapter_data_state_and_reports_and_little_else(published: Published) -> None:
    assert "on demand: not pushed" in published.said
    assert not published.stored("models/merged/model-adapted-00001-of-00001.safetensors").exists()
    assert published.stored("models/adapter/adapter_model.safetensors").exists()
    assert published.stored("data/prepared/rejects.jsonl").exists()
    state = ("models/adapter/", "data/assembled/index", "data/assembled/reservoir", "data/assembled/slices",
             "data/assembled/labels", "models/parent/", "reports/")  # fmt: skip
    needed = {str(d["sha256"]): int(d["size"]) for path, d in published.outputs.items() if path.startswith(state)}
    raw = size(published.shop.path / "data/increments/2026-02-spring/raw")
    assert size(published.storage) <= 1.1 * (sum(needed.values()) + raw)


def test_verify_says_on_demand_and_not_missing(published: Published, tmp_path: Path) -> None:
    derived = sorted(path for path in published.outputs if path.startswith(DERIVED))
    said = published.shop.graft("verify", "v1.1.0", "--remote")
    assert f"on demand: {len(derived)} files (remote): not missing" in said
    assert "every SHA-256 as released" in said
    assert json.loads(published.shop.graft("verify", "v1.1.0", "--remote", "--json"))["on_demand"] == derived


def test_fresh_clone_makes_the_same_hash_with_dvc_alone(published: Published, tmp_path: Path) -> None:
    clone = published.clone(tmp_path / "fresh")
    said = clone.run("bash", "-c", "git checkout -q v1.1.0 && dvc pull --allow-missing && dvc repro merge")
    assert set(re.findall(r"Running stage '(\w+)'", said)) == {"prepare", "assemble", "merge"}  # and not train
    assert clone.git("status", "--porcelain") == ""
    assert tree_hashes(clone, "models/merged") == tree_hashes(published.shop, "models/merged")
    assert "every SHA-256 as released" in clone.graft("verify", "v1.1.0")
    assert "up to date" in clone.dvc("status")


def test_pulled_tree_without_weights_is_no_broken_one(published: Published, tmp_path: Path) -> None:
    clone = published.clone(tmp_path / "fresh")
    clone.dvc("pull", "-q", "--allow-missing")
    assert "on demand" in clone.graft("verify")
    (clone.path / "models/adapter/adapter_config.json").unlink()
    assert "missing: models/adapter/adapter_config.json in workspace" in clone.graft("verify", code=1)


@pytest.mark.slow  # the same by dvc alone stands above
def test_make_run_has_a_released_tree_whole_again_and_trains_nothing(published: Published, tmp_path: Path) -> None:
    clone = published.clone(tmp_path / "fresh")
    said = clone.run(sys.executable, *MODULE, "pipeline.run", **CODE)
    assert "[3/3] merge" in said
    assert "train: " not in said
    assert tree_hashes(clone, "models/merged") == tree_hashes(published.shop, "models/merged")


def test_weights_that_somebody_pushed_are_checked(published: Published) -> None:
    path = "models/merged/model-adapted-00001-of-00001.safetensors"
    spoiled, before = published.stored(path), set(published.storage.rglob("*"))
    try:
        published.shop.dvc("push", "-q", "merge")
        content = spoiled.read_bytes()
        spoiled.unlink()
        spoiled.write_bytes(content[:-1] + b"x")
        said = published.shop.graft("verify", "v1.1.0", "--remote", code=1)
        assert f"corrupt: {path} in remote" in said
        assert said.count("corrupt: ") == 1
    finally:
        for pushed in set(published.storage.rglob("*")) - before:
            if pushed.is_file():
                pushed.unlink()


def test_lost_state_is_missing_and_not_on_demand(published: Published) -> None:
    path = published.stored("models/adapter/adapter_model.safetensors")
    content = path.read_bytes()
    path.unlink()
    said = published.shop.graft("verify", "v1.1.0", "--remote", code=1)
    path.write_bytes(content)
    assert "missing: models/adapter/adapter_model.safetensors in remote" in said
    assert "missing: models/merged" not in said


def test_hook_lets_an_on_demand_release_pass_and_no_incomplete_one(published: Published) -> None:
    tag = published.shop.git("rev-parse", "v1.1.0")
    line = f"refs/tags/v1.1.0 {tag} refs/tags/v1.1.0 {'0' * 40}"
    hook = f"echo '{line}' | {sys.executable} {' '.join(MODULE)} pipeline.prepush"
    assert "outputs in the remote" in published.shop.run("bash", "-c", hook, **CODE)
    path = published.stored("data/assembled/labels.json")
    content = path.read_bytes()
    path.unlink()
    assert "not in the remote" in published.shop.run("bash", "-c", hook, code=1, **CODE)
    path.write_bytes(content)


def test_log_counts_what_the_release_added_to_the_remote(published: Published) -> None:
    [newest, oldest] = json.loads(published.shop.graft("log", "--json"))
    assert (newest["keep"], oldest["keep"]) == ("on-demand", "full")
    weights = [int(d["size"]) for path, d in published.outputs.items() if path.startswith("models/merged/")]
    assert newest["full_bytes"] == sum(weights)
    assert newest["added_bytes"] < newest["full_bytes"] < oldest["added_bytes"]
    assert "on demand" in published.shop.graft("log").splitlines()[0]


@pytest.mark.slow
def test_rollback_that_would_make_other_bytes_leaves_the_tree_as_it_was(published: Published, tmp_path: Path) -> None:
    clone = published.clone(tmp_path / "live")
    clone.dvc("pull", "-q", "--allow-missing")
    go_astray(clone)
    astray = clone.git("rev-parse", "HEAD")
    md5 = clone.run("md5sum", "models/adapter/adapter_config.json").split()[0]
    spoiled = clone.path / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    content = spoiled.read_bytes()
    spoiled.unlink()
    spoiled.write_bytes(content.replace(b'"lora_alpha": 16', b'"lora_alpha": 17'))
    said = clone.graft("rollback", "v1.1.0", code=1)
    assert "not rolled back: v1.1.0 is not intact" in said
    assert "on-demand: models/merged/model-adapted-00001-of-00001.safetensors in cache" in said
    assert clone.git("rev-parse", "HEAD") == astray
    assert clone.git("status", "--porcelain") == ""
