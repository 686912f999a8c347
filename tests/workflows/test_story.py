"""The workflows' own steps, played on one machine: a pull request, its training, the release, and back again."""

import csv
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.common import files
from tests.commands.test_adopt import edit_params
from tests.conftest import ROOT, Clone
from tests.workflows.conftest import WANTED, Forge, bytes_of, done, stopped
from tests.workflows.runner import Played

BRANCH = "more-titles"
NAME = "2026-04-more"
KEPT_BY_GIT = {"dvc.lock", "reports/metrics.json", "reports/verdict.json", "reports/report.md", "reports/manifest.json"}
LOADS = """
from transformers import AutoModelForCausalLM, AutoTokenizer
model = AutoModelForCausalLM.from_pretrained("models/merged")
tokens = AutoTokenizer.from_pretrained("models/merged")("a lamp", return_tensors="pt")
print("answers:", model(**tokens).logits.isfinite().all().item())
"""


def few_rows(target: Path, first: int = 1, count: int = 60) -> Path:
    """Some rows of a shipped sample drop, with its header."""
    with (ROOT / "examples/increments/2026-03-shuffled/products.csv").open(encoding="utf-8") as file:
        rows = list(csv.reader(file))
    with target.open("w", encoding="utf-8") as file:
        csv.writer(file).writerows([rows[0], *rows[first : first + count]])
    return target


def ask_little(clone: Clone) -> None:
    """One epoch, and a gate with its floors at 0."""
    edit_params(clone, epochs="1", slice_items="60")
    text = clone.read("params.yaml")
    for old in ("0.6,", "0.5,", "0.3,"):
        text = text.replace(f"{{at_least: {old}", "{at_least: 0,")
    for old in ("0.02", "0.03", "0.05", "0.08"):
        text = text.replace(f"may_drop: {old}", "may_drop: 1")
    (clone.path / "params.yaml").write_text(text)


@dataclass(frozen=True)
class Story:
    """What happened so far."""

    forge: Forge
    machines: Path
    played: dict[str, Played]


@pytest.fixture(scope="module")
def proposed(shared_forge: Forge, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """An author opened a candidate, laid its data into the quarantine and opened a pull request."""
    machines = tmp_path_factory.mktemp("machines")
    author = shared_forge.clone(machines / "author")
    author.graft("add", NAME, str(few_rows(machines / "drop.csv")))
    ask_little(author)
    author.git("switch", "-q", "-c", BRANCH)
    author.dvc("push", "-q", "-r", "quarantine", f"data/increments/{NAME}/raw.dvc")
    author.commit("More titles")
    author.git("push", "-q", "origin", BRANCH)
    shared_forge.touches(f"data/increments/{NAME}/raw.dvc", "params.yaml")
    event = shared_forge.propose(BRANCH)
    played = shared_forge.play("check.yml", "candidate", machines / "check", event=event)
    checked = stopped(played, "Are the locks current?")
    shared_forge.play("check.yml", "comment", machines / "comment", event=event)
    return Story(shared_forge, machines, {"check": checked})


@pytest.fixture(scope="module")
def trained(proposed: Story) -> Story:
    """retrain.yml ran, and check.yml on the commit that it made."""
    forge, machines = proposed.forge, proposed.machines
    event = forge.propose(BRANCH)
    planned = done(forge.play("retrain.yml", "plan", machines / "plan", event=event))
    event[WANTED] = planned.outputs["wanted"]
    storage = bytes_of(forge.storage)
    trained = done(forge.play("retrain.yml", "train", machines / "train", event=event))
    assert bytes_of(forge.storage) == storage, "a training job writes to the quarantine alone"
    committed = done(forge.play("retrain.yml", "commit", machines / "commit", event=event))
    forge.ran(event)
    checked = done(forge.play("check.yml", "candidate", machines / "check again", event=forge.propose(BRANCH)))
    played = {"plan": planned, "train": trained, "commit": committed, "check again": checked}
    return Story(forge, machines, proposed.played | played)


@pytest.fixture(scope="module")
def merged(trained: Story) -> Story:
    """The pull request was merged, and promote.yml ran."""
    forge, machines = trained.forge, trained.machines
    forge.merge(BRANCH)
    promoted = done(forge.play("promote.yml", "promote", machines / "promote"))
    return Story(forge, machines, trained.played | {"promote": promoted})


@pytest.fixture(scope="module")
def released(merged: Story) -> Story:
    """Somebody released main by hand, and release.yml ran."""
    forge, machines = merged.forge, merged.machines
    ops = forge.clone(machines / "ops")
    ops.dvc("pull", "-q")
    assert "tagged: v1.2.0" in ops.graft("release", "--push")
    event = {"github.ref": "refs/tags/v1.2.0", "github.ref_name": "v1.2.0"}
    verified = done(forge.play("release.yml", "verify", machines / "verify", event=event))
    done(forge.play("release.yml", "publish", machines / "publish", event=event))
    return Story(forge, machines, merged.played | {"verify": verified})


def test_untrained_candidate_fails_its_check_and_says_what_was_not_checked(proposed: Story) -> None:
    checked = proposed.played["check"]
    assert f"candidate: {NAME} on v1.1.0" in checked.summary
    assert "dvc.lock: stage `settings` and what follows must run" in checked.summary
    assert "not checked" in checked.summary
    assert [checked.summary] == proposed.forge.comments()[:1]


def test_training_is_wanted_for_what_it_reads_alone(proposed: Story, tmp_path: Path) -> None:
    forge, event = proposed.forge, proposed.forge.propose(BRANCH)
    labelled = event | {"contains(github.event.pull_request.labels.*.name, 'retrain')": "true"}
    fork = event | {"github.event.pull_request.head.repo.full_name": "stranger/shop"}
    try:
        forge.touches("docs/data/page.md", "README.md")
        assert done(forge.play("retrain.yml", "plan", tmp_path / "1", event=event)).outputs == {"wanted": "false"}
        assert done(forge.play("retrain.yml", "plan", tmp_path / "2", event=labelled)).outputs == {"wanted": "true"}
        assert forge.play("retrain.yml", "train", tmp_path / "3", event=event | {WANTED: "false"}) is None
        assert forge.play("retrain.yml", "plan", tmp_path / "4", event=fork) is None
        assert forge.play("check.yml", "comment", tmp_path / "5", event=fork) is None
    finally:
        forge.touches(f"data/increments/{NAME}/raw.dvc", "params.yaml")


def test_training_commits_what_git_keeps_to_the_pull_requests_branch(trained: Story) -> None:
    bare = Clone(trained.forge.origin)
    touched = set(bare.git("diff", "--name-only", f"{BRANCH}^", BRANCH).splitlines())
    assert touched >= KEPT_BY_GIT
    assert all(name == "dvc.lock" or name.startswith("reports/") for name in touched)
    assert bare.git("log", "-1", "--format=%an: %s", BRANCH) == "graft: Train the candidate"
    [dispatched] = trained.forge.asked("workflow", "run")
    assert dispatched["words"][2:] == ["check.yml", "--ref", BRANCH]


def test_one_comment_holds_report_and_the_way_to_the_bytes(trained: Story) -> None:
    [comment] = trained.forge.comments()
    report = Clone(trained.forge.origin).git("show", f"{BRANCH}:reports/report.md")
    assert report in comment
    assert "dvc pull -r quarantine" in comment
    assert "60 rows" in comment


def test_trained_candidate_passes_its_check(trained: Story) -> None:
    checked = trained.played["check again"]
    assert "dvc.lock is current" in checked.summary
    assert "not checked" not in checked.summary


def test_easier_rules_are_named_and_the_base_branchs_verdict_comes_first(trained: Story) -> None:
    proposed, checked = (trained.played[name].summary for name in ("check", "check again"))
    for summary in (proposed, checked):
        assert "Changed since v1.1.0: gate rules" in summary
        assert "gate.rules.all.accuracy.at_least: 0.6 → 0 (looser than v1.1.0's)" in summary
    first = checked.splitlines()[2]
    assert first == "⚠️ **The base branch's gate and rules say fail, this branch's say pass.**"
    assert "By v1.1.0's rules the verdict is fail, not pass." in checked


def test_reader_pulls_the_candidate_from_the_quarantine(trained: Story, tmp_path: Path) -> None:
    reader = trained.forge.clone(tmp_path / "reader", BRANCH)
    reader.dvc("pull", "-q", "-r", "quarantine", "merge")
    assert (reader.path / "models/merged/config.json").exists()


def test_forks_candidate_that_no_remote_answers_for_is_never_green(trained: Story, tmp_path: Path) -> None:
    event = trained.forge.propose(BRANCH) | {"github.event.pull_request.head.repo.full_name": "stranger/shop"}
    blind = {"storage": tmp_path / "none", "quarantine": tmp_path / "none"}
    played = trained.forge.play("check.yml", "candidate", tmp_path / "fork", event=event, remotes=blind)
    checked = stopped(played, "Was a fork's data readable?")
    assert "Data: ⚠️ **not checked**" in checked.summary


def test_later_attempt_of_the_run_takes_up_its_training(trained: Story, tmp_path: Path) -> None:
    """As after a runner that was taken away: the same event, on an empty machine; the quarantine's bytes are hashed."""
    forge = trained.forge
    base, runner = forge.clone(tmp_path / "base"), forge.clone(tmp_path / "runner", f"origin/{BRANCH}^")
    base.run("python3", "-m", "pipeline.ci.start", str(runner.path))
    kept = shutil.copytree(forge.folder / "artifacts/kept", tmp_path / "kept")
    said = base.run("python3", "-m", "pipeline.ci.retrain", "train", str(runner.path), str(kept))
    assert "took up the stages of an earlier attempt" in said
    assert "Stage 'train' didn't change" in said
    assert "Running stage" not in said


@pytest.mark.slow
def test_resumed_training_ends_in_the_same_bytes(trained: Story, tmp_path: Path) -> None:
    bare, event = Clone(trained.forge.origin), trained.forge.propose(BRANCH)
    event |= {"github.event.pull_request.head.sha": bare.git("rev-parse", f"{BRANCH}^"), WANTED: "true"}
    event |= {"github.run_attempt": "2"}
    again = done(trained.forge.play("retrain.yml", "train", tmp_path / "again", event=event))
    assert "Running stage 'evaluate'" in again.said
    assert "Running stage 'train'" not in again.said
    assert Clone(again.folder).read("candidate/dvc.lock").strip() == bare.git("show", f"{BRANCH}:dvc.lock")


def test_kept_stages_whose_objects_were_swapped_are_trained_anew(trained: Story, tmp_path: Path) -> None:
    forge = trained.forge
    runner, bad = forge.clone(tmp_path / "runner", f"origin/{BRANCH}^"), tmp_path / "quarantine"
    shutil.copytree(forge.quarantine, bad)
    swap_weights(bad)
    runner.dvc("remote", "modify", "--local", "quarantine", "url", str(bad))
    before = runner.read("dvc.lock")
    kept = str(forge.folder / "artifacts/kept")
    code = f"from pathlib import Path; from pipeline.ci import retrain; retrain.resume(Path.cwd(), Path({kept!r}))"
    assert "starting from the beginning" in runner.run("python", "-c", code)
    assert runner.read("dvc.lock") == before
    cached = runner.path / ".dvc/cache/files/md5"
    assert [path for path in cached.glob("??/*") if files.md5(path) != (path.parent.name + path.name)[:32]] == []


def swap_weights(remote: Path) -> None:
    """Other bytes under the names of a remote's large objects."""
    for path in remote.rglob("*"):
        if path.is_file() and path.stat().st_size > 100_000:
            path.chmod(0o644)
            with path.open("r+b") as file:
                file.write(b"other")


def test_nothing_is_promoted_from_a_corrupt_quarantine(trained: Story, tmp_path: Path) -> None:
    forge = trained.forge
    before = bytes_of(forge.storage)
    bad = tmp_path / "quarantine"
    shutil.copytree(forge.quarantine, bad)
    swap_weights(bad)
    event = {"github.ref": f"refs/heads/{BRANCH}"}
    played = stopped(
        forge.play("promote.yml", "promote", tmp_path / "promote", event=event, remotes={"quarantine": bad}),
        "Bring it from the quarantine",
    )
    assert "holds other bytes than its names say" in played.said
    assert bytes_of(forge.storage) == before


def test_merge_brings_the_bytes_from_quarantine_to_storage(merged: Story) -> None:
    assert "objects verified and copied to 'storage'" in merged.played["promote"].said


@pytest.mark.slow
def test_promoting_twice_copies_nothing(merged: Story, tmp_path: Path) -> None:
    again = done(merged.forge.play("promote.yml", "promote", tmp_path / "again"))
    assert "the remote has every object" in again.said


def test_tag_is_verified_and_published_with_card_and_report(released: Story) -> None:
    assert "every SHA-256 as released" in released.played["verify"].said
    [published] = released.forge.asked("release", "create")
    assert published["words"][2] == "v1.2.0"
    assert "--verify-tag" in published["words"]
    assert set(published["files"]) == {"card.md", "report.md", "report.html", "manifest.json"}


def test_another_clone_pulls_the_release_and_answers(released: Story, tmp_path: Path) -> None:
    server = released.forge.clone(tmp_path / "server", "v1.2.0")
    server.dvc("pull", "-q", "merge")
    assert "answers: True" in server.run("python", "-c", LOADS)


def test_rollback_goes_through_check_and_promote(released: Story, tmp_path: Path) -> None:
    forge = released.forge
    ops = forge.clone(tmp_path / "ops")
    ops.graft("rollback", "v1.1.0", "--why", "returns doubled")
    ops.git("push", "-q", "origin", "main")
    checked = done(forge.play("check.yml", "candidate", tmp_path / "check", event={"github.event_name": "push"}))
    assert "released: holds v1.1.0" in checked.summary
    done(forge.play("promote.yml", "promote", tmp_path / "promote"))
    rows = json.loads(ops.graft("log", "--json"))
    assert {row["version"]: row["status"] for row in rows}["v1.2.0"] == "withdrawn"
