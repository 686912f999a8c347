"""What holds for the text of every workflow."""

import re
import subprocess
import sys
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.ci import results
from tests.conftest import ROOT
from tests.workflows.runner import WORKFLOWS, load

NAMES = sorted(path.name for path in WORKFLOWS.glob("*.yml"))
JOBS = [pytest.param(load(name), job, id=f"{name}-{key}") for name in NAMES for key, job in load(name)["jobs"].items()]
_PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")


@pytest.mark.parametrize("name", NAMES)
def test_every_action_is_pinned_to_a_commit_with_its_version(name: str) -> None:
    lines = [line.strip() for line in (WORKFLOWS / name).read_text().splitlines() if "uses:" in line]
    assert [line for line in lines if not _PINNED.search(line)] == []


@pytest.mark.parametrize("name", NAMES)
def test_no_permission_is_given_to_a_whole_workflow(name: str) -> None:
    assert load(name)["permissions"] == {}


@pytest.mark.parametrize("name", NAMES)
def test_no_workflow_runs_a_strangers_code_with_the_repositorys_rights(name: str) -> None:
    triggers = {"pull_request_target", "workflow_run", "issue_comment"} & set(load(name)["on"])
    assert not triggers or (name, triggers) == ("retrain.yml", {"pull_request_target"})


def test_retrain_defined_by_main_runs_a_candidate_in_one_job_that_only_reads() -> None:
    """`pull_request_target` takes the file from main; then no job but `train` may check the candidate out."""
    jobs = load("retrain.yml")["jobs"]
    assert "github.event.pull_request.head.repo.full_name == github.repository" in jobs["plan"]["if"]
    assert (jobs["train"]["needs"], jobs["commit"]["needs"]) == ("plan", "train")
    refs = {
        key: [step["with"].get("ref", "") for step in job["steps"] if "checkout@" in step.get("uses", "")]
        for key, job in jobs.items()
    }
    assert [key for key, names in refs.items() if any("base.sha" not in name for name in names)] == ["train"]
    assert jobs["train"]["permissions"] == {"contents": "read"}
    assert jobs["train"]["environment"] == "training"


@pytest.mark.parametrize("name", NAMES)
def test_no_workflow_reads_a_cache(name: str) -> None:
    """What a pull request's code wrote to GitHub's cache in the name of main reaches no other job."""
    text = (WORKFLOWS / name).read_text()
    assert not re.search(r"actions/cache|setup-|^\s+cache:", text, re.MULTILINE)


@pytest.mark.parametrize("name", ["refresh.yml", "decay.yml"])
def test_scheduled_workflow_shares_no_environment_with_one_that_waits_for_reviewers(name: str) -> None:
    environments = {other: {job.get("environment") for job in load(other)["jobs"].values()} for other in NAMES}
    others = set().union(*(found for other, found in environments.items() if other != name))
    assert not (environments[name] - {None}) & others


def test_results_are_what_git_keeps_of_the_stages() -> None:
    stages = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"].values()
    kept = {next(iter(out)) for stage in stages for out in stage["outs"] if isinstance(out, dict)}
    assert set(results.NAMES) == kept | {"dvc.lock"}


@pytest.mark.parametrize("module", ["commit", "start", "retrain"])
def test_what_runs_from_the_base_needs_no_environment(module: str) -> None:
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import pipeline.ci.{module}"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)  # the standard library alone


def test_check_reads_no_secret() -> None:
    assert "secrets." not in (WORKFLOWS / "check.yml").read_text()


@pytest.mark.parametrize(("_", "job"), JOBS)
def test_every_job_ends_some_day_and_says_its_permissions(_: object, job: dict[str, Any]) -> None:
    assert job["timeout-minutes"] > 0
    assert "permissions" in job


@pytest.mark.parametrize(("_", "job"), JOBS)
def test_no_expression_reaches_a_shell(_: object, job: dict[str, Any]) -> None:
    assert [step["name"] for step in job["steps"] if "${{" in step.get("run", "")] == []


@pytest.mark.parametrize(("_", "job"), JOBS)
def test_no_checkout_leaves_its_token_behind(_: object, job: dict[str, Any]) -> None:
    checkouts = [step for step in job["steps"] if step.get("uses", "").startswith("actions/checkout@")]
    assert [step for step in checkouts if step["with"]["persist-credentials"] is not False] == []


@pytest.mark.parametrize(("_", "job"), JOBS)
def test_job_that_runs_the_repositorys_pipeline_cannot_write_to_git(_: object, job: dict[str, Any]) -> None:
    runs_it = any("pipeline.ci.retrain" in step.get("run", "") for step in job["steps"])
    assert not (runs_it and "write" in job["permissions"].values())


def test_running_training_is_never_cancelled_and_waits_for_its_line() -> None:
    workflow = load("retrain.yml")
    for found in (workflow["concurrency"], workflow["jobs"]["train"]["concurrency"]):
        assert found["cancel-in-progress"] is False
    assert "base.ref" in workflow["jobs"]["train"]["concurrency"]["group"]


def test_scripts_parse() -> None:
    for script in (ROOT / ".github/scripts").glob("*.sh"):
        subprocess.run(["bash", "-n", script], check=True)


def test_page_names_every_variable_secret_and_environment() -> None:
    texts = " ".join((WORKFLOWS / name).read_text() for name in NAMES)
    page = (ROOT / "docs/how-to/pull-requests.md").read_text(encoding="utf-8")
    wanted = set(re.findall(r"(?:vars|secrets)\.(\w+)", texts)) | set(re.findall(r"environment: (\w+)", texts))
    assert [name for name in sorted(wanted) if f"`{name}`" not in page] == []
