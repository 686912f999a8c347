import hashlib
import shutil
from pathlib import Path

import pytest

from pipeline.common import files, schema, yaml
from pipeline.common.errors import GraftError
from pipeline.stages import manifest
from tests.conftest import ROOT

OUTPUTS = manifest.outputs(yaml.load_unchecked(ROOT / "dvc.yaml"))


@pytest.fixture
def complete(done: Path) -> Path:
    """A candidate that holds every output of dvc.yaml."""
    for path in OUTPUTS:
        if not path.exists():
            (path / "part").parent.mkdir(parents=True) if path.suffix == "" else path.parent.mkdir(exist_ok=True)
            (path if path.suffix else path / "part").write_text(str(path))
    return done


def test_manifest_holds_size_and_sha256_of_every_output(complete, run):
    run(manifest)
    found = files.read_json(manifest.MANIFEST)
    assert schema.problems(found, "manifest") == []
    for name, digest in found["outputs"].items():
        content = Path(name).read_bytes()
        assert digest == {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    listed = [Path(name) for name in found["outputs"]]
    assert all(any(path == out or out in path.parents for path in listed) for out in OUTPUTS)
    assert found["machine_class"]["kind"] == "cpu"


def test_manifest_leaves_itself_out(complete, run):
    run(manifest)
    first = manifest.MANIFEST.read_bytes()
    run(manifest)
    assert manifest.MANIFEST.read_bytes() == first
    assert str(manifest.MANIFEST) not in files.read_json(manifest.MANIFEST)["outputs"]


def test_manifest_unchanged_when_repository_moved(complete, run, monkeypatch):
    run(manifest)
    moved = shutil.copytree(complete, complete.parent / "moved")
    monkeypatch.chdir(moved)
    run(manifest)
    assert manifest.MANIFEST.read_bytes() == (complete / manifest.MANIFEST).read_bytes()


def test_changed_byte_changes_exactly_its_entry(complete, run):
    run(manifest)
    before = files.read_json(manifest.MANIFEST)["outputs"]
    card = Path("models/merged/README.md")
    card.write_text(card.read_text() + "x")
    run(manifest)
    after = files.read_json(manifest.MANIFEST)["outputs"]
    assert [name for name in after if after[name] != before[name]] == [str(card)]


def test_missing_outputs_are_each_named(complete, run):
    shutil.rmtree("models/merged")
    Path("reports/report.md").unlink()
    with pytest.raises(GraftError) as error:
        run(manifest)
    assert set(error.value.problems) == {"models/merged", "reports/report.md"}
    assert not manifest.MANIFEST.exists()


def test_adapter_that_was_handed_on_has_no_machine_class(complete, run):
    training = files.read_json(manifest.TRAINING)
    files.write_json(manifest.TRAINING, training | {"machine_class": None})
    run(manifest)
    assert schema.problems(files.read_json(manifest.MANIFEST), "manifest") == []
