"""One broken file, one message: whatever file is broken, in the tree or at a tag, no command ends in a traceback."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Chain, Clone, samples

SPRING = "data/increments/2026-02-spring"
BROKEN: dict[str, bytes] = {
    "empty": b"",
    "binary": b"\x00\xff\xfe\x80",
    "conflicted": b"<<<<<<< HEAD\n{}\n=======\n[]\n>>>>>>> other\n",
    "list": b"[1]\n",
    "twice": b'{"a": 1, "a": 2}\n',
    "nan": b'{"outputs": NaN}\n',
    "deep": b"[" * 10_000,
    "digits": b'{"version": 1' + b"0" * 5_000 + b"}",
}
AT_TAG = {  # file -> how it is broken there; each kind in several files
    "reports/decision.json": ("empty", "list", "nan", "deep"),
    "reports/manifest.json": ("binary", "list", "twice"),
    "models.lock": ("binary", "conflicted", "digits"),
    "dvc.lock": ("conflicted", "list"),
    "dvc.yaml": ("binary", "deep"),
    "params.yaml": ("conflicted", "binary"),
    "reports/metrics.json": ("list", "deep"),
    "reports/training.json": ("empty", "digits"),
    "withdrawn.json": ("list", "binary"),
    f"{SPRING}/raw.dvc": ("empty", "list"),
    f"{SPRING}/increment.yaml": ("binary", "conflicted"),
}
SHOWN = [*[*AT_TAG][:3], "dvc.yaml", "reports/metrics.json", "reports/training.json"]  # what graft log reads
IN_TREE = {
    "models.lock": ("empty", "conflicted", "deep"),
    "dvc.lock": ("conflicted", "list"),
    "dvc.yaml": ("list", "deep"),
    "params.yaml": ("binary", "list", "deep"),
    "withdrawn.json": ("twice", "nan"),
    "reports/manifest.json": ("empty",),
    f"{SPRING}/raw.dvc": ("list",),
    f"{SPRING}/increment.yaml": ("binary",),
    ".dvc/config": ("conflicted",),
    ".dvc/config.local": ("conflicted",),
    ".dvcignore": ("binary",),
}
REWRITTEN = {".dvcignore"}  # by graft add, whatever it held


@pytest.fixture(scope="module")
def clone(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return chain.pulled(tmp_path_factory.mktemp("broken") / "clone")


def state(clone: Clone) -> str:
    """What a command that fails must leave as it was."""
    config = "\n".join((clone.path / name).read_bytes().hex() for name in (".dvc/config", ".dvc/config.local"))
    shown = [("status", "--porcelain", "--ignored"), ("diff", "HEAD"), ("for-each-ref",)]
    return "\n".join([*(clone.git(*arguments) for arguments in shown), config])


def tagged(clone: Clone, change: Callable[[], object]) -> None:
    """Set v1.2.0 on a commit beside main on which that was changed."""
    clone.git("checkout", "-q", "--detach")
    change()
    clone.git("add", "--all")
    clone.git("commit", "-q", "--no-verify", "-m", "broken")
    clone.git("tag", "-f", "-a", "-m", "v1.2.0", "v1.2.0")
    clone.git("checkout", "-q", "--force", "main")


def expect(found: tuple[int, str], *words: str, code: int | None = 1) -> str:
    """One message with these words and the way out, and no traceback."""
    exit_code, said = found
    assert "Traceback" not in said, said
    assert code is None or exit_code == code, said
    assert exit_code in (0, 1), said
    assert all(word in said for word in words), said
    assert exit_code == 0 or "help: " in said, said
    return said


@pytest.mark.parametrize("path", AT_TAG)
def test_a_broken_file_at_a_tag_is_named_and_stops_no_other_release(clone: Clone, path: str) -> None:
    for kind in AT_TAG[path]:
        tagged(clone, lambda kind=kind: (clone.path / path).write_bytes(BROKEN[kind]))  # type: ignore[misc]
        before = state(clone)
        log = expect(clone.answer("log"), "v1.1.0", "<- here", code=0)
        if path in SHOWN:
            assert f"unreadable: v1.2.0:{path}" in log, log
    if path != "withdrawn.json":  # read in the working tree alone, and by no stage
        expect(clone.answer("verify", "v1.2.0"), path)
    expect(clone.answer("diff", "v1.1.0", "v1.2.0"), code=None)
    if path in SHOWN:
        expect(clone.answer("rollback", "v1.2.0"))
        expect(clone.answer("gc"), code=None)
        assert "nothing new" in expect(clone.answer("release", "v9.0.0"), "not released")
    assert state(clone) == before
    clone.git("tag", "-d", "v1.2.0")


@pytest.mark.parametrize("kind", ["folder", "link", "submodule", "gone"])
def test_something_else_than_a_file_at_a_tag_is_named(clone: Clone, kind: str) -> None:
    def replace(path: Path) -> None:
        path.unlink()
        if kind == "folder":
            path.mkdir()
            (path / "file").write_text("{}")
        elif kind == "link":
            path.symlink_to("/etc/hostname")
        elif kind == "submodule":
            subprocess.run(["git", "init", "-q", path], check=True)
            Clone(path).commit("nothing")

    for name in ("reports/decision.json", "models.lock"):
        tagged(clone, lambda name=name: replace(clone.path / name))  # type: ignore[misc]
        if kind == "submodule":
            shutil.rmtree(clone.path / name, ignore_errors=True)
            clone.git("checkout", "-q", "--force", "main", "--", name)
        assert f"unreadable: v1.2.0:{name}" in expect(clone.answer("log"), code=0)
        expect(clone.answer("verify", "v1.2.0"), f"v1.2.0:{name}" if kind == "link" else "v1.2.0")
    clone.git("tag", "-d", "v1.2.0")


@pytest.mark.parametrize("path", IN_TREE)
def test_a_broken_file_in_the_tree_is_one_error_and_nothing_changes(clone: Clone, path: str) -> None:
    file = clone.path / path
    whole = file.read_bytes()
    try:
        for kind in IN_TREE[path]:
            file.write_bytes(BROKEN[kind])
            before = state(clone)
            expect(clone.answer("plan"), file.name)
            assert state(clone) == before, kind
        if path not in REWRITTEN:
            expect(clone.answer("add", "2026-05-new", *samples("2026-03-shuffled")))
            assert state(clone) == before
    finally:
        file.write_bytes(whole)
    assert clone.git("status", "--porcelain") == ""


@pytest.mark.parametrize("rule", ["data/", "*.dvc", "*.lock", "*.yaml", "data/increments/**"])
def test_a_rule_of_ones_own_that_ignores_the_data_is_named_and_nothing_is_left(
    clone: Clone, rule: str, tmp_path: Path
) -> None:
    (tmp_path / "ignore").write_text(f"{rule}\n")
    clone.git("config", "core.excludesFile", str(tmp_path / "ignore"))
    before = state(clone)
    expect(clone.answer("add", "2026-05-new", *samples("2026-03-shuffled")), f"{tmp_path}/ignore:1:{rule}")
    assert state(clone) == before
    clone.git("config", "--unset", "core.excludesFile")


def test_an_add_that_dvc_refuses_puts_everything_back(clone: Clone) -> None:
    before = state(clone)
    shutil.move(clone.path / ".dvc/cache/files", clone.path / ".dvc/cache/aside")
    (clone.path / ".dvc/cache/files").write_text("no folder")
    try:
        expect(clone.answer("add", "2026-05-new", *samples("2026-03-shuffled")), "files")
    finally:
        (clone.path / ".dvc/cache/files").unlink()
        shutil.move(clone.path / ".dvc/cache/aside", clone.path / ".dvc/cache/files")
    assert state(clone) == before
    assert not list((clone.path / "data/increments").glob(".*"))


def test_what_git_or_the_system_refuses_is_one_error(clone: Clone) -> None:
    config = (clone.path / ".git/config").read_text()
    (clone.path / ".git/config").write_text("[core\n")
    said = clone.graft("log", code=1)
    (clone.path / ".git/config").write_text(config)
    assert "bad config line 1 in file .git/config" in said
    assert "help: " in said
    (clone.path / "models.lock").unlink()
    (clone.path / "models.lock").mkdir()
    said = clone.graft("plan", code=1)
    (clone.path / "models.lock").rmdir()
    clone.git("restore", "models.lock")
    assert "models.lock: Is a directory\n  help: git checkout -- models.lock" in said


def test_text_from_files_moves_no_cursor_and_starts_no_line(clone: Clone) -> None:
    (clone.path / "withdrawn.json").write_text('{"v1.0.0": "bad \\u001b]0;title\\u0007"}')
    said = expect(clone.answer("log"), "withdrawn.json", "control character")
    assert "\x1b" not in said
    (clone.path / "withdrawn.json").write_text('{"v1.0.0": "harmless"}')
    assert "withdrawn: harmless" in expect(clone.answer("log"), code=0)
    clone.git("restore", "withdrawn.json")
    tagged(clone, lambda: (clone.path / "params.yaml").write_text('"\\e[2J\\u202e": "\\u2028\\x85"\n'))
    for more in ((), ("--json",)):
        said = expect(clone.answer("diff", "v1.1.0", "v1.2.0", *more), code=None)
        assert not {"\x1b", "\u202e", "\u2028", "\x85"} & set(said), more
    clone.git("tag", "-d", "v1.2.0")


def test_aliases_are_refused_with_their_line_before_they_grow(clone: Clone) -> None:
    bomb = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
    for name, before in zip("bcdefghi", "abcdefgh", strict=True):
        bomb += f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for path in (clone.path / "params.yaml", clone.path / SPRING / "increment.yaml"):
        whole = path.read_text()
        path.write_text(whole + bomb)
        line = whole.count("\n") + 1
        expect(clone.answer("plan"), f"{path.name}: line {line}: an anchor or alias")
        path.write_text(whole)


@pytest.mark.parametrize(
    ("move", "said"),
    [
        pytest.param("git cat-file tag v1.0.0 | sed '1,/^$/d' > m; "
                     "git tag -f -a -F m --cleanup=verbatim v1.1.0 v1.1.0^{}",
                     "increment: 2026-01-winter in its message", id="message-of-another-release"),
        pytest.param("git tag -f -a -m own v1.1.0 v1.1.0^{}", "origin's tag, object", id="other-than-origins"),
        pytest.param("git cat-file tag v1.1.0 | sed '1,/^$/d' > m; git commit -q --allow-empty -m x; "
                     "git tag -f -a -F m --cleanup=verbatim v1.1.0; git remote remove origin",
                     "in its message", id="another-commit-with-the-same-manifest-and-no-origin"),
        pytest.param("git tag -d v1.1.0; git tag v1.1.0", "a lightweight tag", id="lightweight"),
        pytest.param("git update-ref refs/tags/v1.1.0 $(git rev-parse v1.0.0)", "that of v1.0.0", id="tag-of-another"),
    ],
)  # fmt: skip
def test_verify_names_a_tag_that_says_otherwise(chain: Chain, tmp_path: Path, move: str, said: str) -> None:
    clone = chain.pulled(tmp_path / "clone")
    clone.run("sh", "-c", f"({move}) 2>&1")
    expect(clone.answer("verify", "v1.1.0"), "wrong-tag: tag v1.1.0 in git", said)


def test_what_git_was_told_not_to_see_is_seen(clone: Clone) -> None:
    for option in ("skip-worktree", "assume-unchanged"):
        readme = clone.path / "README.md"
        whole = readme.read_text()
        clone.git("update-index", f"--{option}", "README.md")
        expect(clone.answer("release"), "nothing new")
        readme.write_text(whole + "more\n")
        assert clone.git("status", "--porcelain") == ""
        expect(clone.answer("verify"), "hidden-edit: README.md in workspace: expected as committed")
        expect(clone.answer("release"), f"uncommitted:  M README.md (hidden by {option})")
        readme.write_text(whole)
        clone.git("update-index", f"--no-{option}", "README.md")


def test_verify_tells_a_changed_mode_from_changed_bytes(clone: Clone) -> None:
    (clone.path / "params.yaml").chmod(0o755)
    expect(clone.answer("verify"), "mode 644 of v1.1.0", "mode 755 (executable)")
    (clone.path / "params.yaml").chmod(0o644)


def test_a_dvc_lock_with_the_parents_adapter_is_not_current(chain: Chain, tmp_path: Path) -> None:
    clone = chain.clone(tmp_path / "clone")  # nothing pulled: hashes in git are enough
    lock = clone.read("dvc.lock")
    entry = "- path: models/adapter\n      hash: md5\n      md5: "
    adapter, before = (text.partition(entry)[2][:36] for text in (lock, clone.git("show", "v1.0.0:dvc.lock")))
    expect(clone.answer("lock", "--check"), code=0)
    (clone.path / "dvc.lock").write_text(lock.replace(adapter, before))
    named = "dvc.lock: models/adapter is v1.0.0's, and reports/manifest.json lists other bytes"
    expect(clone.answer("lock", "--check"), named)
    expect(clone.answer("plan"), named, code=0)


def test_a_base_of_links_is_not_pinned_but_a_hubs_cache_is(clone: Clone, tmp_path: Path) -> None:
    base, snapshot, linked = clone.path / "examples/base", tmp_path / "hub/snapshots/0123", tmp_path / "linked"
    shutil.copytree(base, snapshot)
    (tmp_path / "hub/blobs").mkdir()
    shutil.move(snapshot / "config.json", tmp_path / "hub/blobs/feed")
    (snapshot / "config.json").symlink_to("../../blobs/feed")
    params = clone.read("params.yaml")
    (clone.path / "params.yaml").write_text(params.replace("source: builtin", f"source: path:{snapshot}"))
    expect(clone.answer("lock"), code=0)
    (clone.path / "params.yaml").write_text(params.replace("source: builtin", f"source: path:{linked}"))
    shutil.copytree(base, linked)
    (linked / "config.json").unlink()
    (linked / "config.json").symlink_to(base / "config.json")
    expect(clone.answer("lock"), f"config.json: a link to {base / 'config.json'}")
    clone.git("restore", "params.yaml", "models.lock")
