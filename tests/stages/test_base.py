"""Stage base, as DVC runs it: the base is what models.lock pins, byte for byte, or nothing is written."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipeline.chain.lock import lockfile
from pipeline.common import yaml
from pipeline.model.base import readings
from tests.hub_server import Hub, model, sha256
from tests.stages.conftest import settle

ROOT = Path(__file__).parents[2]
REPO = "acme/tiny"
TOKEN = "hf_secret0123456789"  # noqa: S105
LOCATE = (
    "from pipeline.common import errors; from pipeline.model.base import base_files; "
    "errors.run(lambda: print(base_files.locate()))"
)


@dataclass
class Tree:
    """A working tree that has just what the stage needs."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)

    def ask(self, **base: str | None) -> None:
        """Edit section `base` of params.yaml."""
        document = yaml.load_unchecked(self.root / "params.yaml")
        document["base"].update(base)
        yaml.dump(self.root / "params.yaml", document)
        settle(self.root)

    def pin(
        self, source: str, content: dict[str, bytes], revision: str | None = None, commit: str | None = None
    ) -> None:
        """Ask for a base and lock it, as `graft lock` does."""
        self.ask(source=source, revision=revision)
        hashes = {name: sha256(data) for name, data in content.items()}
        base = lockfile.LockedBase(
            requested=lockfile.Requested(source=source, revision=revision),
            resolved=lockfile.Resolved(revision=commit, sha256=hashes),
        )
        lock = lockfile.Lock(base=base, parent=None, anchor=None, increment="data/increments/one", toolchain={})
        lockfile.save(lock, self.root / "models.lock")

    def python(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run Python at the tree's root."""
        environment = self.environment | environment
        command = [sys.executable, *arguments]
        done = subprocess.run(command, cwd=self.root, capture_output=True, text=True, env=environment, check=False)
        assert TOKEN not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    def run(self, **environment: str) -> str:
        """Run the stage; what it printed."""
        done = self.python("-m", "pipeline.stages.base", **environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refusal(self, **environment: str) -> str:
        """Run the stage, which must fail and leave nothing; its message."""
        done = self.python("-m", "pipeline.stages.base", **environment)
        assert done.returncode == 1
        assert self.outputs() == []
        return done.stderr

    def outputs(self) -> list[str]:
        """Every file below models/."""
        return sorted(str(path.relative_to(self.root)) for path in (self.root / "models").rglob("*") if path.is_file())

    def pinned(self) -> dict[str, object]:
        """Content of the pin."""
        return dict(json.loads((self.root / "models/base/pin.json").read_text()))


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    root = tmp_path / "tree"
    root.mkdir()
    for name in ("pipeline", "schemas"):
        (root / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "params.yaml", root)
    settle(root)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    return Tree(root, environment)


@pytest.fixture
def hub(tree: Tree) -> Iterator[Hub]:
    with Hub() as server:
        tree.environment |= {"HF_HOME": str(tree.root / "home"), "HF_ENDPOINT": server.endpoint, "HF_TOKEN": TOKEN}
        yield server


def write(folder: Path, content: dict[str, bytes]) -> None:
    folder.mkdir(parents=True)
    for name, data in content.items():
        (folder / name).write_bytes(data)


def cached(tree: Tree, name: str) -> Path:
    return next((tree.root / "home/hub").glob(f"models--*/snapshots/*/{name}"))


def test_builtin_is_pinned_where_it_lies(tree: Tree) -> None:
    write(tree.root / "examples/base", model() | {"README.md": b"not a part of the model"})
    tree.pin("builtin", model())
    tree.run()
    hashes = {name: sha256(data) for name, data in model().items()}
    assert tree.pinned() == {"source": "builtin", "revision": None, "sha256": hashes, "store": "cache"}
    assert tree.outputs() == ["models/base/pin.json"]
    assert tree.python("-c", LOCATE).stdout == "examples/base\n"


@pytest.mark.parametrize("absolute", [False, True])
def test_folder_is_named_as_the_user_wrote_it(tree: Tree, absolute: bool) -> None:
    folder = str(tree.root / "mine") if absolute else "mine"
    write(tree.root / "mine", model())
    tree.pin(f"path:{folder}", model())
    tree.run()
    assert tree.pinned()["source"] == f"path:{folder}"
    assert tree.python("-c", LOCATE).stdout == f"{folder}\n"


def test_every_changed_missing_and_added_file_is_named(tree: Tree) -> None:
    content = model()
    write(tree.root / "examples/base", content)
    tree.pin("builtin", content)
    tree.run()
    (tree.root / "examples/base/config.json").write_bytes(b"{}")
    (tree.root / "examples/base/tokenizer.json").unlink()
    (tree.root / "examples/base/adapter_config.json").write_bytes(b"{}")
    said = [
        "examples/base: not as pinned",
        f"  config.json: expected {sha256(content['config.json'])}, found {sha256(b'{}')}",
        f"  tokenizer.json: missing, expected {sha256(content['tokenizer.json'])}",
        "  adapter_config.json: not pinned, yet it would be loaded",
        "  help: git checkout -- examples/base; if the change is meant, graft lock pins what is there now",
    ]
    lines = ("Error: " + "\n".join(said)).splitlines()
    assert tree.python("-c", LOCATE).stderr.splitlines() == lines
    assert tree.refusal().splitlines() == lines


def test_params_that_were_not_locked_are_refused(tree: Tree) -> None:
    write(tree.root / "examples/base", model())
    tree.pin("builtin", model())
    tree.ask(source=f"hf:{REPO}", revision="main")
    refusal = tree.refusal()
    assert f"base.source: params.yaml asks for hf:{REPO}, models.lock resolved builtin" in refusal
    assert "base.revision: params.yaml asks for main, models.lock resolved None" in refusal
    assert "help: graft lock" in refusal


def test_missing_pin_is_named(tree: Tree) -> None:
    assert "models/base/pin.json: no such file\n  help: dvc repro base" in tree.python("-c", LOCATE).stderr


def test_hub_base_stays_in_the_hubs_cache(tree: Tree, hub: Hub) -> None:
    commit = hub.commit(REPO, model())
    tree.pin(f"hf:{REPO}", model(), "main", commit)
    assert "downloading model.safetensors" in tree.run()
    assert tree.pinned()["revision"] == commit
    assert tree.outputs() == ["models/base/pin.json"]
    assert tree.python("-c", LOCATE).stdout == f"{cached(tree, 'config.json').parent}\n"


def test_moved_branch_changes_nothing(tree: Tree, hub: Hub) -> None:
    commit = hub.commit(REPO, model())
    tree.pin(f"hf:{REPO}", model(), "main", commit)
    assert hub.commit(REPO, model("three four")) != commit
    tree.run()
    assert cached(tree, "model.safetensors").read_bytes() == model()["model.safetensors"]


def test_second_run_needs_no_hub(tree: Tree, hub: Hub) -> None:
    tree.pin(f"hf:{REPO}", model(), None, hub.commit(REPO, model()))
    tree.run()
    first, hub.status = tree.pinned(), 500
    hub.requests.clear()
    for environment in ({}, {"HF_HUB_OFFLINE": "1"}):
        assert "downloading" not in tree.run(**environment)
        assert tree.pinned() == first
    assert hub.requests == []


def test_lost_cache_is_filled_again(tree: Tree, hub: Hub) -> None:
    tree.pin(f"hf:{REPO}", model(), None, hub.commit(REPO, model()))
    tree.run()
    shutil.rmtree(tree.root / "home")
    assert tree.python("-c", LOCATE).returncode == 0
    assert cached(tree, "model.safetensors").read_bytes() == model()["model.safetensors"]


def test_download_that_differs_from_the_lock_is_not_kept(tree: Tree, hub: Hub) -> None:
    tree.pin(f"hf:{REPO}", model(), None, hub.commit(REPO, model()))
    hub.replaced = {"model.safetensors": model("three four")["model.safetensors"]}
    refusal = tree.refusal()
    expected, found = sha256(model()["model.safetensors"]), sha256(hub.replaced["model.safetensors"])
    assert f"model.safetensors: expected {expected}, found {found}; removed from the cache" in refusal
    assert not any(sha256(path.read_bytes()) == found for path in (tree.root / "home").rglob("*") if path.is_file())
    hub.replaced = {}
    tree.run()


def test_corrupt_file_in_the_cache_is_named_with_what_to_remove(tree: Tree, hub: Hub) -> None:
    tree.pin(f"hf:{REPO}", model(), None, hub.commit(REPO, model()))
    tree.run()
    link = cached(tree, "model.safetensors")
    blob = link.resolve()
    blob.chmod(0o644)
    blob.write_bytes(blob.read_bytes()[:-1] + b"!")
    for done in (tree.python("-c", LOCATE), tree.python("-m", "pipeline.stages.base")):
        assert done.returncode == 1
        assert f"found {sha256(blob.read_bytes())}; an older download: remove {link} and {blob}" in done.stderr
    link.unlink()
    blob.unlink()
    tree.run()


@pytest.mark.parametrize(
    ("switch", "environment", "said"),
    [
        pytest.param({"gated": True}, {}, "access is restricted (gated)", id="gated"),
        pytest.param({"token": "another"}, {}, "no such repository, or it is private", id="wrong-token"),
        pytest.param({"status": 503}, {}, "answers HTTP 503", id="server-error"),
        pytest.param({"short": {"model.safetensors"}}, {}, "the download was cut short", id="truncated"),
        pytest.param({}, {"HF_ENDPOINT": "http://127.0.0.1:9"}, "no answer from 127.0.0.1:9", id="no-network"),
        pytest.param({}, {"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE forbids the network", id="offline"),
    ],
)
def test_failing_hub_leaves_no_output(
    tree: Tree, hub: Hub, switch: dict[str, object], environment: dict[str, str], said: str
) -> None:
    tree.pin(f"hf:{REPO}", model(), None, hub.commit(REPO, model()))
    tree.ask(store="dvc")
    for name, value in switch.items():
        setattr(hub, name, value)
    assert said in tree.refusal(**environment)


def test_commit_that_the_hub_lost_is_refused(tree: Tree, hub: Hub) -> None:
    hub.commit(REPO, model())
    tree.pin(f"hf:{REPO}", model(), "main", "0" * 40)
    assert f"hf:{REPO} at {'0' * 40}: no such revision" in tree.refusal()


def test_store_dvc_copies_the_files_and_then_needs_no_hub(tree: Tree, hub: Hub) -> None:
    tree.pin(f"hf:{REPO}", model(), None, hub.commit(REPO, model()))
    tree.ask(store="dvc")
    tree.run()
    weights = tree.root / "models/base/weights"
    assert {path.name: path.read_bytes() for path in weights.iterdir()} == model()
    assert not any(path.is_symlink() for path in weights.iterdir())
    shutil.rmtree(tree.root / "home")
    hub.status = 500
    assert tree.python("-c", LOCATE).stdout == "models/base/weights\n"
    (weights / "config.json").write_bytes(b"{}")
    refusal = tree.python("-c", LOCATE).stderr
    assert "models/base/weights: not as pinned" in refusal
    assert "help: dvc checkout --force models/base" in refusal


def test_what_an_earlier_run_left_is_cleared(tree: Tree) -> None:
    write(tree.root / "examples/base", model())
    write(tree.root / "models/base/weights", {"half": b"written"})
    tree.pin("builtin", model())
    tree.run()
    assert tree.outputs() == ["models/base/pin.json"]


def tokenizer(kind: str, **settings: object) -> dict[str, bytes]:
    """A tokenizer of single bytes, whose file splits digits and normalises nothing; read as that kind of model's."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    alphabet = ["<s>", "</s>", "<unk>", "▁", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    made = Tokenizer(models.BPE({symbol: number for number, symbol in enumerate(alphabet)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return model() | {
        "config.json": json.dumps({"model_type": kind}).encode(),
        "tokenizer.json": made.to_str().encode(),
        "tokenizer_config.json": json.dumps(settings).encode(),
    }


def test_base_with_two_readings_of_its_tokenizer_is_refused_or_allowed(tree: Tree) -> None:
    content = tokenizer("qwen2")  # transformers takes Qwen2Tokenizer, which composes accents
    write(tree.root / "examples/base", content)
    tree.pin("builtin", content)
    said = tree.refusal().splitlines()
    assert said[0] == (
        "Error: builtin: tokenizer.json read plainly and AutoTokenizer (Qwen2Tokenizer) give different tokens"
    )
    assert said[1].startswith("  text: 'Gro")
    assert (said[2][:19], said[3][:18]) == ("  tokenizer.json: '", "  AutoTokenizer: '")
    assert said[4] == "  help: make base, then graft lock; see docs/how-to/base.md, Two readings of one tokenizer"
    tree.ask(two_readings="allow")
    assert "base: warning: builtin: tokenizer.json read plainly" in tree.run()


def test_a_chain_that_stands_on_a_base_with_two_readings_goes_on(tree: Tree) -> None:
    content = tokenizer("qwen2")
    write(tree.root / "examples/base", content)
    tree.pin("builtin", content)
    lock = json.loads((tree.root / "models.lock").read_text())
    defined = json.loads((ROOT / "schemas/models.lock.schema.json").read_text())["$defs"]
    state = {key: {"md5": "0" * 32} for key in defined["state"]["required"]}
    lock["parent"] = {"release": "v1.0.0", "commit": "0" * 40, "state": state}
    (tree.root / "models.lock").write_text(json.dumps(lock))
    assert "base: warning: builtin: tokenizer.json read plainly" in tree.run()


@pytest.mark.parametrize(
    ("kind", "settings", "refused"),
    [
        pytest.param("llama", {"tokenizer_class": "LlamaTokenizerFast"}, True, id="class-that-splits-otherwise"),
        pytest.param("llama", {"tokenizer_class": "TokenizersBackend"}, False, id="class-that-reads-the-file"),
        pytest.param("llama", {"tokenizer_class": "PreTrainedTokenizerFast", "add_bos_token": True}, False, id="bos"),
    ],
)
def test_only_another_split_of_a_text_counts_as_another_reading(
    tmp_path: Path, kind: str, settings: dict[str, object], refused: bool
) -> None:
    write(tmp_path / "mine", tokenizer(kind, **settings))
    found = readings.differences(tmp_path / "mine")
    assert {one.reader for one in found} == ({"LlamaTokenizer"} if refused else set())


def test_mark_of_a_beginning_is_no_difference() -> None:
    special = {"<s>"}
    older, newer = ["▁Hello", "▁you", "<s>", "▁", "x"], ["Hello", "▁you", "<s>", "x"]
    assert readings._unmarked(older, special) == readings._unmarked(newer, special) == ["Hello", "▁you", "<s>", "x"]
    assert readings._unmarked(["Hello", "you"], special) != readings._unmarked(["Hello", "▁you"], special)


def test_builtin_loads_neither_torch_nor_the_hubs_library(tree: Tree) -> None:
    write(tree.root / "examples/base", model())
    tree.pin("builtin", model())
    code = "import sys; from pipeline.stages import base; base.main(); print(sorted(sys.modules))"
    loaded = tree.python("-c", code).stdout
    assert not any(f"'{name}'" in loaded for name in ("torch", "transformers", "huggingface_hub", "httpx2", "numpy"))


def test_a_base_whose_line_ends_git_rewrote_is_told_apart(tree: Tree) -> None:
    content = model() | {"config.json": b'{"model_type": "llama"}\n'}
    tree.pin("builtin", content)
    write(tree.root / "examples/base", content | {"config.json": b'{"model_type": "llama"}\r\n'})
    said = tree.refusal()
    assert "config.json: expected " in said
    assert "help: line ends alone differ: commit or stash" in said
    assert "git config core.autocrlf false" in said
