"""A subfolder of another git repository is refused at once; a submodule and a linked working tree are fine."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import CODE, ROOT, Clone

PAGE = ROOT / "docs/how-to/monorepo.md"


def test_a_subfolder_is_refused_and_the_documented_submodule_works(fresh: Clone, tmp_path: Path) -> None:
    mono = Clone(tmp_path / "mono")
    shutil.copytree(fresh.path, mono.path / "models/titles", ignore=shutil.ignore_patterns(".git"))
    mono.git("init", "-q", "--initial-branch", "main")
    mono.commit("Everything of the shop")
    inside = Clone(mono.path / "models/titles")
    for arguments in (
        ("plan",), ("lock",), ("lock", "--check"), ("release",), ("add", "new", "README.md"), ("verify",),
        ("diff", "HEAD", "HEAD"), ("rollback", "v1.0.0"), ("log",), ("gc",),
    ):  # fmt: skip
        said = inside.graft(*arguments, code=1)
        assert f"git's top level is {mono.path}, and dvc.yaml is in its subfolder models/titles" in said
        assert "git subtree split --prefix models/titles" in said
    assert "Graft needs a git repository of its own" in inside.run(
        sys.executable, "-P", "-m", "pipeline.run", code=1, **CODE
    )
    [block] = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    subprocess.run(["git", "init", "-q", "--bare", "--initial-branch", "main", tmp_path / "titles.git"], check=True)
    script = f"set -e\n{block.replace('URL', str(tmp_path / 'titles.git'))}"
    allowed = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "protocol.file.allow", "GIT_CONFIG_VALUE_0": "always"}
    mono.run("bash", "-c", script, **allowed)
    assert inside.git("rev-parse", "--show-toplevel") == str(inside.path)
    assert "models.lock was current" in inside.graft("lock")
    assert '"unkept": []' in inside.graft("plan", "--json")


def test_a_linked_working_tree_is_fine(fresh: Clone, tmp_path: Path) -> None:
    fresh.git("worktree", "add", "-q", str(tmp_path / "linked"), "-b", "linked")
    assert "models.lock was current" in Clone(tmp_path / "linked").graft("lock")
