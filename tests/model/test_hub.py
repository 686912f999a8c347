"""A base on the hub: what is pinned, what is downloaded, and what each failure says.

The hub's library reads the environment when it is imported, so every case has a process of its own.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub_server import Hub, model, sha256

TOKEN = "hf_secret0123456789"  # noqa: S105
REPO = "acme/tiny"
RESOLVE = """
import json, sys
from pipeline.common import errors
from pipeline.chain.candidate import base_resolve
def main():
    found = base_resolve.resolve(sys.argv[1], sys.argv[2] or None)
    print(json.dumps({"revision": found.revision, "sha256": found.sha256}))
errors.run(main)
"""
FETCH = """
import json, sys
from pipeline.common import errors
from pipeline.model.base import hub
errors.run(lambda: print(hub.fetch(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))))
"""


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as server:
        yield server


class User:
    """Someone with a cache of their own, who asks for bases."""

    def __init__(self, home: Path, hub: Hub) -> None:
        self.cache = home / "hub"
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))
        }
        self.environment |= {"HF_HOME": str(home), "HF_ENDPOINT": hub.endpoint, "HF_TOKEN": TOKEN}

    def run(self, code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=self.environment | environment, check=False)
        assert TOKEN not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    def resolve(self, revision: str = "", source: str = f"hf:{REPO}", **environment: str) -> dict[str, object]:
        done = self.run(RESOLVE, source, revision, **environment)
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout.splitlines()[-1]))

    def refusal(self, revision: str = "", source: str = f"hf:{REPO}", **environment: str) -> str:
        done = self.run(RESOLVE, source, revision, **environment)
        assert done.returncode == 1
        return done.stderr

    def cached(self) -> set[str]:
        return {path.name for path in self.cache.glob("models--*/snapshots/*/*")}

    def fragments(self) -> list[Path]:
        return list(self.cache.rglob("*.incomplete"))


@pytest.fixture
def user(tmp_path: Path, hub: Hub) -> User:
    return User(tmp_path / "home", hub)


def test_branch_tag_and_commit_mean_one_commit(hub: Hub, user: User) -> None:
    commit = hub.commit(REPO, model())
    hub.refs[REPO]["v1"] = commit
    expected = {"revision": commit, "sha256": {name: sha256(content) for name, content in model().items()}}
    assert [user.resolve(revision) for revision in ("", "main", "v1", commit)] == [expected] * 4


def test_only_what_a_causal_lm_loads_is_downloaded(hub: Hub, user: User) -> None:
    others = ["pytorch_model.bin", "modeling.py", "consolidated.safetensors", "original/model.safetensors", "README.md"]
    hub.commit(REPO, model() | dict.fromkeys(others, b"no"))
    user.resolve()
    assert user.cached() == set(model())
    assert sorted(hub.downloads()) == sorted(model())


def test_shards_are_those_that_the_index_names(hub: Hub, user: User) -> None:
    weights = {"model-1.safetensors": b"1", "model-2.safetensors": b"2"}
    index = json.dumps({"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}).encode()
    beside = {name: content for name, content in model().items() if name != "model.safetensors"}
    wanted = beside | weights | {"model.safetensors.index.json": index}
    hub.commit(REPO, wanted | {"older.safetensors": b"0"})
    assert set(user.resolve()["sha256"]) == set(wanted)
    hub.commit(REPO, {name: content for name, content in wanted.items() if name != "model-2.safetensors"})
    assert "model-2.safetensors: the index names it, and it is missing" in user.refusal()


def test_pickled_weights_are_refused_before_anything_is_downloaded(hub: Hub, user: User) -> None:
    content = model()
    hub.commit(REPO, {"pytorch_model.bin": b"pickle", "config.json": content["config.json"]})
    refusal = user.refusal()
    assert "neither model.safetensors nor model.safetensors.index.json; pytorch_model.bin: a pickle" in refusal
    assert "no tokenizer" in refusal
    assert hub.downloads() == []


@pytest.mark.parametrize(
    ("source", "revision", "said"),
    [
        pytest.param("hf:acme/none", "", "hf:acme/none: no such repository, or it is private", id="repository"),
        pytest.param(f"hf:{REPO}", "v9", f"hf:{REPO} at v9: no such revision", id="revision"),
        pytest.param("hf:acme/a--b", "", "hf:acme/a--b: not a repository name", id="malformed-name"),
    ],
)
def test_unknown_name_is_refused(hub: Hub, user: User, source: str, revision: str, said: str) -> None:
    hub.commit(REPO, model())
    refusal = user.refusal(revision, source)
    assert said in refusal
    assert "help: " in refusal
    assert user.cached() == set()


@pytest.mark.parametrize(
    ("switch", "environment", "said"),
    [
        pytest.param({"gated": True}, {}, "access is restricted (gated)", id="gated"),
        pytest.param({"token": "another"}, {}, "no such repository, or it is private", id="wrong-token"),
        pytest.param({"status": 403}, {}, "refuses access (HTTP 403)", id="forbidden"),
        pytest.param({"status": 500}, {}, "answers HTTP 500", id="server-error"),
        pytest.param({"status": 200}, {}, "does not answer as a hub does", id="not-a-hub"),
        pytest.param(
            {"short": {"model.safetensors"}}, {}, "model.safetensors: the download was cut short", id="truncated"
        ),
        pytest.param({"short": {"config.json"}}, {}, "config.json: the download was cut short", id="truncated-small"),
        pytest.param({}, {"HF_ENDPOINT": "http://u:hf_pw@127.0.0.1:9"}, "no answer from 127.0.0.1:9", id="no-network"),
        pytest.param({}, {"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE forbids the network", id="offline"),
        pytest.param({}, {"HF_TOKEN": f"{TOKEN}’"}, "does not answer as a hub does", id="impossible-token"),
    ],
)
def test_failure_says_its_cause_and_leaves_no_part_of_a_file(
    hub: Hub, user: User, switch: dict[str, object], environment: dict[str, str], said: str
) -> None:
    hub.commit(REPO, model())
    for name, value in switch.items():
        setattr(hub, name, value)
    refusal = user.refusal(**environment)
    assert said in refusal
    assert "help: " in refusal
    assert "hf_pw" not in refusal
    assert "model.safetensors" not in user.cached()
    assert user.fragments() == []


def test_broken_connection_is_resumed(hub: Hub, user: User) -> None:
    hub.commit(REPO, model())
    hub.cut_once = {"model.safetensors"}
    user.resolve()
    assert hub.downloads().count("model.safetensors") == 2


def test_altered_download_is_named_and_not_kept(hub: Hub, user: User) -> None:
    content = model()
    commit = hub.commit(REPO, content)
    hub.replaced = {name: content[name][::-1] for name in ("model.safetensors", "config.json")}
    refusal = user.refusal()
    assert f"hf:{REPO} at {commit}: not as pinned: 2 of 6 files" in refusal
    expected, found = sha256(content["model.safetensors"]), sha256(hub.replaced["model.safetensors"])
    assert f"model.safetensors: expected {expected}, found {found}; removed from the cache" in refusal
    assert "config.json: expected " in refusal
    assert user.cached() == set(content) - set(hub.replaced)
    hub.replaced = {}
    assert user.resolve()["revision"] == commit


def test_token_goes_to_the_hub_and_nowhere_else(hub: Hub, user: User) -> None:
    hub.commit(REPO, model())
    hub.token = TOKEN
    user.resolve()
    assert hub.tokens("hub", REPO) == {f"Bearer {TOKEN}"}
    assert hub.tokens("cdn", REPO) == {None}


def test_what_is_cached_needs_no_network(hub: Hub, user: User) -> None:
    commit = hub.commit(REPO, model())
    digests = json.dumps(user.resolve()["sha256"])
    hub.requests.clear()
    for environment in ({}, {"HF_HUB_OFFLINE": "1"}):
        assert user.run(FETCH, REPO, commit, digests, **environment).returncode == 0
    assert hub.requests == []
