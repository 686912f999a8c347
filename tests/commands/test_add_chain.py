"""graft add ends a refresh of its own, and leaves a train.chain that a user set."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.chain.candidate import candidate
from pipeline.commands import add
from pipeline.settings import effective
from tests.conftest import ROOT
from tests.stages.conftest import set_params


@pytest.mark.parametrize(
    ("chain", "refreshed", "after"),
    [("fresh", True, "continue"), ("fresh", False, "fresh"), ("stack", True, "stack"), ("fresh", None, "fresh")],
)
def test_only_a_refresh_is_set_back(chain, refreshed, after, tmp_path: Path, monkeypatch, capsys) -> None:
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    (tmp_path / "schemas").symlink_to(ROOT / "schemas")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(candidate, "save", lambda _: None)
    monkeypatch.setattr(candidate, "reopened", lambda *_: None)
    set_params(tmp_path, train__chain=chain)
    add._open(
        SimpleNamespace(lock=SimpleNamespace(anchor=None)),
        "spring",
        SimpleNamespace(release="v1.0.0"),
        "opened",
        refreshed=refreshed,
    )
    assert effective.load()["train"]["chain"] == after
    said = capsys.readouterr().out
    assert ("again, after a refresh" in said) == (after != chain)
    assert ("as it was set" in said) == (refreshed is False)
