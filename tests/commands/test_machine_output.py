"""What scripts read: --json of the commands that do something, -q, and completion."""

import json
from pathlib import Path

from tests.commands.test_release import ready
from tests.conftest import Clone

__all__ = ["ready"]


def test_release_rollback_and_add_tell_what_they_did_as_json(ready: Clone, tmp_path: Path) -> None:
    released = json.loads(ready.graft("release", "--json"))
    head = ready.git("rev-parse", "HEAD")
    assert released["read_back"] >= released["new_objects"] == 0  # the remote had them
    assert {name: released[name] for name in ("release", "parent", "commit", "published", "signed", "increment")} == {
        "release": "v1.1.0", "parent": "v1.0.0", "commit": head, "published": False, "signed": False,
        "increment": "2026-02-spring",
    }  # fmt: skip
    back = json.loads(ready.graft("rollback", "v1.0.0", "--json", "--why", "returns"))
    assert back == {
        "release": "v1.0.0", "commit": ready.git("rev-parse", "HEAD"), "tag": None, "withdrawn": ["v1.1.0"],
        "published": False,
    }  # fmt: skip
    (tmp_path / "more.csv").write_text("title,category\n" + "".join(f"blue lamp {n},Lamps\n" for n in range(30)))
    opened = json.loads(ready.graft("add", "2026-03-more", str(tmp_path / "more.csv"), "--json"))
    assert (opened["increment"], opened["parent"], opened["read"]) == ("2026-03-more", "v1.0.0", 30)
    assert opened["labels"] == {"Lamps": opened["records"]}


def test_quiet_leaves_out_progress_and_no_answer(fresh: Clone) -> None:
    assert fresh.graft("-q", "lock") == ""
    assert "no release yet" in fresh.graft("-q", "log")
    assert "Error: not released" in fresh.graft("-q", "release", code=1)


def test_the_shell_completes_commands_and_options(fresh: Clone) -> None:
    said = fresh.run("graft", _GRAFT_COMPLETE="bash_complete", COMP_WORDS="graft rel", COMP_CWORD="1")
    assert said.strip() == "plain,release"


def test_usage_names_one_program_however_it_was_started(fresh: Clone) -> None:
    assert "Usage: graft release " in fresh.run("python", "-m", "pipeline", "release", "--help")
