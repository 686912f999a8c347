"""make demo plays in a repository as shipped, whatever the clone that it is typed in holds."""

import sys
from pathlib import Path

from tests.conftest import SAMPLE, Chain

LAY_OUT = "import sys; from pathlib import Path; from examples import demo; demo.lay_out(Path(sys.argv[1]))"


def test_a_teams_data_params_releases_and_remote_stay_out(chain: Chain, tmp_path: Path) -> None:
    team = chain.pulled(tmp_path / "team")
    team.dvc("remote", "add", "-q", "--default", "own", "s3://bucket/of-the-team")
    private = {"signers/a.pub": "key", "data/golden/own.jsonl": "{}\n", "withdrawn.json": "{}\n"}
    for name, text in private.items():
        (team.path / name).parent.mkdir(exist_ok=True)
        (team.path / name).write_text(text)
    team.commit("Ours")
    (team.path / "params.yaml").write_text("base:\n  source: hf:own/model\n")  # not committed
    (team.path / "pipeline/cli.py").write_text((team.path / "pipeline/cli.py").read_text() + "# edited\n")
    target = tmp_path / "shop"
    target.mkdir()
    team.run(sys.executable, "-c", LAY_OUT, str(target))
    for name in (*private, "data/increments/2026-02-spring", "dvc.lock", "reports", ".dvc/config.local"):
        assert not (target / name).exists(), name
    for path in (path for path in SAMPLE.rglob("*") if path.is_file() and path.name != "models.lock"):
        there, of_team = target / path.relative_to(SAMPLE), team.path / "tests/sample" / path.relative_to(SAMPLE)
        assert there.read_bytes() == of_team.read_bytes()
    assert "of-the-team" not in (target / ".dvc/config").read_text()
    assert (target / "pipeline/cli.py").read_text().endswith("# edited\n")
    assert team.run("git", "-C", str(target), "status", "--porcelain") == ""
    assert team.run("git", "-C", str(target), "tag") == ""
