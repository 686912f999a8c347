"""What is committed is what was used: files that stages read and a commit would not hold are named and refused."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Chain, Clone, some

GOLDEN = '{"text": "blue garden chair", "label": "furniture"}\n'
HIDDEN = {  # an input of each kind that people keep by hand
    "data/golden/hidden.jsonl": GOLDEN,
    "metrics/hidden.py": "def hidden(item):\n    return 1.0\n",
    "metrics/lib/deep.csv": "a,b\n",
    "data/augment/hidden.tsv": "red\tcrimson\n",
    "data/templates/hidden.jinja": "{{ messages }}\n",
}


@pytest.fixture(scope="module")
def clone(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return chain.pulled(tmp_path_factory.mktemp("unkept") / "clone")


@pytest.fixture(autouse=True)
def restored(clone: Clone) -> None:
    clone.git("restore", "--staged", "--worktree", ".")
    clone.git(
        "clean", "-q", "-d", "--force", "--force", "-x", "data/golden", "data/augment", "data/templates", "metrics"
    )
    (clone.path / ".git/info/exclude").write_text("")
    clone.git("config", "core.excludesFile", "")


def lay(clone: Clone, path: str, text: str = "") -> None:
    (clone.path / path).parent.mkdir(parents=True, exist_ok=True)
    (clone.path / path).write_text(text)


def unkept(clone: Clone) -> list[str]:
    return list(json.loads(clone.graft("plan", "--json"))["unkept"])


@pytest.mark.parametrize("where", ["core.excludesFile", "info/exclude", ".gitignore beside it"])
def test_an_input_that_git_ignores_is_named_with_the_rule_and_not_released(
    clone: Clone, tmp_path: Path, where: str
) -> None:
    for path, text in HIDDEN.items():
        lay(clone, path, text)
    if where == "core.excludesFile":
        rules = tmp_path / "ignore"
        clone.git("config", "core.excludesFile", str(rules))
    elif where == "info/exclude":
        rules = clone.path / ".git/info/exclude"
    else:
        rules = clone.path / "metrics/.gitignore"
        lay(clone, "data/golden/.gitignore", "hidden.*\n")
    rules.write_text("hidden.*\ndeep.csv\n")
    said, planned, checked = clone.graft("release", code=1), unkept(clone), clone.graft("lock", "--check", code=1)
    paths = [path for path in HIDDEN if "gitignore" not in where or path.startswith(("data/golden", "metrics"))]
    for path in paths:
        line = f"{path}: not in git: ignored by "
        assert line in said
        assert line in checked
        assert any(entry.startswith(line) for entry in planned)
    assert f"{rules.relative_to(clone.path) if where != 'core.excludesFile' else rules}:1:hidden.*" in said
    assert "git add --force FILE" in said
    clone.git("add", "--force", *paths)  # as the help says
    assert not [line for line in unkept(clone) if line.startswith(tuple(paths))]


def test_what_tools_leave_beside_inputs_never_counts(clone: Clone) -> None:
    before = clone.dvc("status")
    for path in (
        "data/golden/.idea/x.jsonl", "data/golden/.x.jsonl.swp", "data/golden/.#x.jsonl", "data/golden/x.jsonl~",
        "data/golden/.hidden.jsonl", "data/golden/~$x.jsonl", "data/golden/@eaDir/x.jsonl", "metrics/nbproject/a.py",
        "data/golden/.metals/rules.md", "metrics/.price.py.kate-swp", "data/augment/__MACOSX/._words.tsv",
        "metrics/__pycache__/x.pyc", "metrics/.vscode/a.json", "data/augment/._words.tsv", "data/templates/.DS_Store",
    ):  # fmt: skip
        lay(clone, path, "junk")
    assert unkept(clone) == []
    assert clone.dvc("status") == before
    assert clone.git("status", "--porcelain", "data/golden/.idea", "metrics") == ""
    assert "not released: uncommitted" not in clone.graft("release", code=1)
    load = "from pathlib import Path; from pipeline.common import params; from pipeline.data.assemble import golden; "
    load += (
        "from pipeline.data.prepare.settings import PrepareSettings as S; o = params.load('prepare', S).cleaning(); "
    )
    names = clone.python(f"{load}print([*golden.load(Path('data/golden'), '', o).slices])")
    assert names == "['golden-bestsellers']\n"


def test_a_base_in_the_repository_that_git_ignores_is_named_and_its_help_helps(fresh: Clone, tmp_path: Path) -> None:
    shutil.copytree(fresh.path / "examples/base", fresh.path / "bases/ours")
    lay(fresh, ".git/info/exclude", "/bases/\n")
    params = fresh.read("params.yaml").replace("source: builtin", "source: path:bases/ours")
    lay(fresh, "params.yaml", params)
    fresh.graft("lock")
    named = [line for line in unkept(fresh) if line.startswith("bases/ours/")]
    assert "bases/ours/model.safetensors: of the base, and not in git: ignored by .git/info/exclude:1:/bases/" in named
    assert "bases/ours/config.json: of the base" in fresh.graft("release", code=1)
    assert "help: base.store: dvc in params.yaml" in unkept(fresh)[-1]
    lay(fresh, "params.yaml", params.replace("store: cache", "store: dvc"))
    assert unkept(fresh) == []
    lay(fresh, "params.yaml", params)
    (fresh.path / "bases").rename(tmp_path / "elsewhere")
    (fresh.path / "bases").symlink_to(tmp_path / "elsewhere")
    assert unkept(fresh) == []  # a folder elsewhere, by way of a link


def test_a_new_input_that_git_does_not_ignore_is_an_uncommitted_change(clone: Clone) -> None:
    lay(clone, "data/golden/new.jsonl", GOLDEN)
    clone.git("config", "status.showUntrackedFiles", "no")
    assert "uncommitted: ?? data/golden/new.jsonl" in clone.graft("release", code=1)
    clone.git("config", "--unset", "status.showUntrackedFiles")
    assert unkept(clone) == []


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_link_to_outside_is_refused_and_its_help_helps(clone: Clone, tmp_path: Path, kind: str) -> None:
    lay(clone, str(tmp_path / "there/outside.jsonl"), GOLDEN)
    link = clone.path / ("data/golden/linked.jsonl" if kind == "file" else "metrics/linked")
    link.symlink_to(tmp_path / ("there/outside.jsonl" if kind == "file" else "there"))
    clone.git("add", "--all")
    name = link.relative_to(clone.path).as_posix()
    assert f"{name}: {name} is a link to {tmp_path}" in clone.graft("release", code=1)
    follow(clone)
    clone.git("add", "--all")
    assert unkept(clone) == []
    assert link.exists()
    assert not link.is_symlink()


@pytest.mark.parametrize("kind", ["submodule", "repository"])
def test_an_input_in_another_repository_is_refused_and_its_help_helps(clone: Clone, tmp_path: Path, kind: str) -> None:
    subprocess.run(["git", "init", "-q", tmp_path / "items"], check=True)
    other = Clone(tmp_path / "items")
    lay(other, "more.csv", "a\n")
    other.commit("Items")
    if kind == "submodule":
        clone.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other.path), "metrics/items")
    else:
        shutil.copytree(other.path, clone.path / "metrics/items")
    assert unkept(clone)[0].startswith("metrics/items/more.csv: ")
    assert "metrics/items/more.csv" in clone.graft("release", code=1)
    follow(clone)
    clone.git("add", "--all")
    assert unkept(clone) == []
    assert clone.git("ls-files", "metrics/items") == "metrics/items/more.csv"


def test_an_input_that_dvc_tracks_is_named(clone: Clone) -> None:
    lay(clone, "metrics/big.csv", "a\n")
    clone.dvc("add", "-q", "metrics/big.csv")
    assert unkept(clone)[0].startswith("metrics/big.csv: DVC tracks it")
    follow(clone)
    assert unkept(clone) == []


def test_a_line_of_dvcignore_that_hides_an_input_from_dvc_is_named(clone: Clone) -> None:
    rules = clone.read(".dvcignore")
    lay(clone, ".dvcignore", f"{rules}/data/golden/bestsellers.jsonl\n")
    assert unkept(clone)[0] == "data/golden/bestsellers.jsonl: in git, and hidden from DVC by a line of .dvcignore"
    assert "bestsellers.jsonl: in git, and hidden from DVC" in clone.graft("release", code=1)


SETTINGS = {  # of a clone that would rewrite line ends -> what the message names
    "core.autocrlf": ("git config core.autocrlf true", "core.autocrlf=true (file:.git/config)"),
    "attributes": ("git config core.eol crlf && echo '* text=auto' > .git/info/attributes", "attribute text=auto"),
    "eol": ("echo '*.json text eol=crlf' > .git/info/attributes", "attribute text=set, eol=crlf"),
    "of the user": ("echo '*.json text eol=crlf' > ../own && git config core.attributesFile ../own", "eol=crlf"),
    "committed": ("echo '*.json text eol=crlf' >> .gitattributes && git commit -q -a -m Ours", "text=set, eol=crlf"),
}


@pytest.mark.parametrize("name", some(SETTINGS, quick=("core.autocrlf", "of the user")))
@pytest.mark.parametrize("age", ["as shipped", "older"])
def test_rewritten_line_ends_are_refused_with_the_setting_and_a_way_out(
    chain: Chain, tmp_path: Path, name: str, age: str
) -> None:
    clone = chain.pulled(tmp_path / "clone")
    setting, named = SETTINGS[name]
    if age == "older":  # of a Graft whose .gitattributes lacked the line
        attributes = clone.path / ".gitattributes"
        attributes.write_text(attributes.read_text().replace("* -text\n", ""))
        clone.commit("As before")
    clone.run("sh", "-c", f"{setting} && git rm -r -q --cached . && git reset -q --hard")
    if age == "as shipped" and name in ("core.autocrlf", "of the user"):  # the shipped line wins
        assert b"\r\n" not in (clone.path / "reports/metrics.json").read_bytes()
        clone.graft("verify")
        return
    assert b"\r\n" in (clone.path / "reports/metrics.json").read_bytes()
    assert clone.git("status", "--porcelain") == ""
    locked = clone.read("models.lock")
    for arguments in (("lock",), ("lock", "--check"), ("release",), ("verify",)):
        said = clone.graft(*arguments, code=1)
        assert "git config core.autocrlf false" in said, said
        assert arguments[0] == "verify" or named in said, said
    assert clone.read("models.lock") == locked
    way_out = next(line for line in unkept(clone) if line.startswith("help: "))
    taken_out = re.findall(r"take text and eol of such files out of (\S+),", way_out)
    for place in taken_out:
        lay(clone, place, re.sub(r".*eol=crlf\n|.*text=auto\n", "", clone.read(place)))
    clone.run("sh", "-c", way_out.rpartition("then: ")[2])
    clone.graft("verify")
    clone.graft("lock", "--check")


def test_a_filter_that_keeps_other_bytes_is_named(clone: Clone) -> None:
    clone.git("config", "filter.upper.clean", "tr a-z A-Z")
    (clone.path / ".git/info/attributes").write_text("*.jsonl filter=upper\n")
    lay(clone, "data/golden/more.jsonl", GOLDEN)
    clone.git("add", "data/golden/more.jsonl")
    clone.git("commit", "-q", "-m", "More")
    assert unkept(clone)[0].startswith("data/golden/more.jsonl: git keeps other bytes: attribute filter=upper")
    (clone.path / ".git/info/attributes").unlink()
    clone.git("reset", "-q", "--hard", "HEAD^")


def follow(clone: Clone) -> None:
    """Type what the help of `graft plan` says."""
    said = unkept(clone)[-1].removeprefix("help: ").split(": ")[-1].removesuffix(", and commit")
    clone.run("sh", "-c", said)
