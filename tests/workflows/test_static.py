"""What holds for the text of every workflow."""

import re
import subprocess
from typing import Any

import pytest

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
    assert not {"pull_request_target", "workflow_run", "issue_comment"} & set(load(name)["on"])


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
