"""An index of another kind is made again from the records that the chain's releases hold."""

import json
import shutil

from pipeline.common import files
from tests.conftest import Chain

DOCTOR = """
import json, shutil
from dataclasses import replace
from pathlib import Path
from pipeline.chain.lock import lockfile
from pipeline.chain.store.objects import Store
store, lock = Store(), lockfile.load()
state = dict(lock.parent.state)
folder = Path(".graft/other")
shutil.copytree("models/parent/index", folder)
document = json.loads((folder / "index.json").read_text())
(folder / "index.json").write_text(json.dumps(document | {"version": 1}))
state["data/assembled/index"] = {"md5": store.save(folder)}
lockfile.save(replace(lock, parent=replace(lock.parent, state=state)))
"""


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_index_of_another_kind_is_made_again_with_the_same_bytes(chain: Chain, tmp_path) -> None:
    clone = chain.pulled(tmp_path / "clone")
    clone.graft("add", "summer", "examples/increments/2026-03-shuffled/products.csv")
    clone.dvc("repro", "--single-item", "parent")
    index = clone.path / "models/parent/index"
    before = contents(index)
    clone.python(DOCTOR)
    said = clone.dvc("repro", "--single-item", "parent")
    assert "made again from the records of 2 releases" in said
    assert contents(index) == before
    clone.dvc("repro", "--single-item", "prepare", "assemble")
    assert json.loads(clone.read("data/assembled/report.json"))["index"]["runs"] == 2


def test_without_the_commits_of_the_chain_it_says_what_to_fetch(chain: Chain, tmp_path) -> None:
    clone = chain.pulled(tmp_path / "clone")
    clone.graft("add", "summer", "examples/increments/2026-03-shuffled/products.csv")
    clone.dvc("repro", "--single-item", "parent")
    clone.python(DOCTOR)
    lock = json.loads(clone.read("models.lock"))
    lock["parent"]["commit"] = "1" * 40
    files.write_json(clone.path / "models.lock", lock)
    shutil.rmtree(clone.path / "models/parent")
    said = clone.dvc("repro", "--single-item", "parent", code=255)
    assert "this clone lacks the commit of v1.1.0" in said
    assert "git fetch --unshallow" in said
