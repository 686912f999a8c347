"""A new base starts a new line: trained from the base, compared with the release before."""

import json
import shutil
from pathlib import Path

import pytest

from tests.commands.test_adopt import drop_rules, edit_params
from tests.conftest import Chain, Clone


def new_base(clone: Clone) -> None:
    """The same model with one more remark in a file: another fingerprint, so another base."""
    shutil.copytree(clone.path / "examples/base", clone.path / "examples/base2")
    path = clone.path / "examples/base2/generation_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"max_new_tokens": 20}))
    edit_params(clone, source="path:examples/base2")


def test_no_candidate_is_continued_on_another_base(chain: Chain, tmp_path: Path) -> None:
    clone = chain.pulled(tmp_path / "clone")
    new_base(clone)
    before = clone.read("models.lock")
    said = clone.graft("lock", code=1)
    assert "a new base starts a new line: the adapter of v1.1.0 cannot be continued" in said
    assert "graft add NAME --full" in said
    assert clone.read("models.lock") == before


@pytest.mark.slow
def test_refresh_on_another_base_is_compared_with_the_release_before(chain: Chain, tmp_path: Path) -> None:
    clone = chain.pulled(tmp_path / "clone")
    clone.graft("add", "2027-new-base", "--full")
    new_base(clone)
    edit_params(clone, epochs="1")
    drop_rules(clone)
    clone.graft("lock")
    clone.dvc("repro")
    training, metrics = json.loads(clone.read("reports/training.json")), json.loads(clone.read("reports/metrics.json"))
    assert training["continued_from"] is None
    released = json.loads(clone.git("show", "v1.1.0:reports/metrics.json"))
    assert metrics["parent"]["all"] == released["candidate"]["all"]  # its answers, and no model of the old base
    assert json.loads(clone.read("models.lock"))["parent"]["release"] == "v1.1.0"
    assert "Running stage" not in clone.dvc("repro")
