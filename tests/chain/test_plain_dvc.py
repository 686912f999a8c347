"""DVC's own commands on a chain of releases, as docs/how-to/storage.md says."""

from tests.commands.test_verify import clone
from tests.conftest import ROOT, Clone

__all__ = ["clone"]

PAGE = (ROOT / "docs/how-to/storage.md").read_text(encoding="utf-8")


def test_gc_of_workspace_and_tags_keeps_every_release(clone: Clone) -> None:
    assert "`-w -T`" in PAGE
    clone.dvc("gc", "-q", "-w", "-T", "--cloud", "--force")
    for tag in ("v1.0.0", "v1.1.0"):
        assert "every SHA-256 as released (git, cache and remote)" in clone.graft("verify", tag, "--remote")


def test_gc_of_the_workspace_alone_deletes_older_releases(clone: Clone) -> None:
    assert "`-w`) | the working tree alone | **are deleted**" in PAGE
    clone.dvc("gc", "-q", "-w", "--cloud", "--force")
    assert "missing: models/merged/" in clone.graft("verify", "v1.0.0", "--remote", code=1)


def test_an_earlier_increments_files_come_from_the_release_that_brought_it(clone: Clone) -> None:
    [line] = [line.partition(" # ")[0] for line in PAGE.splitlines() if line.startswith("dvc get ")]
    clone.dvc(*line.split()[1:])
    assert [path.name for path in (clone.path / "winter").iterdir()] == ["products.csv"]
    later = line.replace("--rev v1.0.0 --out winter", "--rev v1.1.0 --out later")
    assert "unexpected error" in clone.dvc(*later.split()[1:], code=255)
