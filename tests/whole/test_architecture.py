"""The rules that keep the house easy to live in."""

import ast
import dataclasses
import graphlib
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline import cli
from pipeline.chain.verify import import_closure
from tests.conftest import ENVIRONMENT, ROOT

STAGES = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
COMMANDS = ["pipeline.cli", *(f"pipeline.commands.{name}" for name in cli.COMMANDS)]
HEAVY = ("torch", "transformers", "peft", "accelerate", "datasets")
LIGHT_STAGES = ("base", "parent", "prepare", "assemble", "gate", "manifest")


def listed(stage: str) -> list[Path]:
    """Folders and files of code that dvc.yaml lists for a stage."""
    return [ROOT / dep for dep in STAGES[stage]["deps"] if dep.startswith("pipeline/")]


def imported(stage: str) -> set[Path]:
    """Files of code that a stage imports, and what they read beside themselves."""
    found = import_closure.closure(ROOT / f"pipeline/stages/{stage}.py")
    templates = ROOT / "pipeline/model/chat"
    return found | (set(templates.glob("*.jinja")) if templates / "templates.py" in found else set())


@pytest.mark.parametrize("name", STAGES)
def test_stage_lists_all_code_that_it_imports(name: str) -> None:
    assert {path for path in imported(name) if not any(map(path.is_relative_to, listed(name)))} == set()


@pytest.mark.parametrize("name", STAGES)
def test_stage_lists_no_code_in_vain(name: str) -> None:
    files, paths = imported(name), listed(name)
    rooms = {
        room
        for path in paths
        for room in [path, *(init.parent for init in path.rglob("__init__.py"))]
        if not any(other != room and room.is_relative_to(other) for other in paths if other != path)
    }
    assert {room for room in rooms if not any(file.is_relative_to(room) for file in files)} == set()


def test_an_edit_of_gate_report_or_commands_trains_nothing_again() -> None:
    told = ("pipeline/gate", "pipeline/report", "pipeline/commands", "pipeline/chain/release", "pipeline/ci")
    for stage in ("base", "parent", "prepare", "train"):
        assert not [path for path in listed(stage) if path.relative_to(ROOT).as_posix().startswith(told)], stage


def test_no_import_goes_round_in_a_circle() -> None:
    modules = {path: import_closure.imported_by(path) for path in (ROOT / "pipeline").rglob("*.py")}
    list(graphlib.TopologicalSorter(modules).static_order())  # raises CycleError, which names the circle


def test_rooms_are_small_and_every_file_and_class_has_a_name_of_its_own() -> None:
    modules = [path for path in (ROOT / "pipeline").rglob("*.py") if path.name not in ("__init__.py", "settings.py")]
    rooms = Counter(path.parent.relative_to(ROOT).as_posix() for path in modules)
    assert {room: files for room, files in rooms.items() if files > 20} == {}
    assert {name: times for name, times in Counter(path.stem for path in modules).items() if times > 1} == {}
    classes = Counter(
        node.name
        for path in (ROOT / "pipeline").rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert {name: times for name, times in classes.items() if times > 1} == {}


@pytest.mark.parametrize("name", STAGES)
def test_stage_module_param_section_and_command_share_one_name(name: str) -> None:
    assert (ROOT / f"pipeline/stages/{name}.py").is_file()
    assert STAGES[name]["cmd"] == f"python -m pipeline.stages.{name}"


def test_train_runs_again_for_every_setting_but_those_that_change_no_byte() -> None:
    from pipeline.training.settings import TrainSettings

    [declared] = [entry["reports/params.json"] for entry in STAGES["train"]["params"] if "reports/params.json" in entry]
    free = {"replay", "checkpoint", "checkpoint_url", "trackers", "workers"}
    assert declared == [f"train.{field.name}" for field in dataclasses.fields(TrainSettings) if field.name not in free]


REACHED = re.compile(
    r"sys\.(?:modules|meta_path|path_hooks)|gc\.(?:disable|enable|freeze|set_threshold)|importlib\.abc"
)
RESTORED = {"sys.dont_write_bytecode", "sys.pycache_prefix"}  # Python's own switches, while a user's metric is imported
AT_IMPORT = re.compile(r"(?:signal\.|os\.exec|atexit\.|faulthandler\.)\w+\(")


def reaches(path: Path) -> Iterator[str]:
    """What a file changes of Python itself or of another package."""
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    yield from REACHED.findall(text)
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    foreign = {(alias.asname or alias.name).partition(".")[0] for node in imports for alias in node.names}
    for node in ast.walk(tree):
        name = ast.unparse(node) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) else ""
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "setattr":
            name = f"{ast.unparse(node.args[0])}.{ast.unparse(node.args[1])}"
        if name.partition(".")[0] in foreign - {""} and name not in RESTORED:
            yield name
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield from AT_IMPORT.findall(ast.unparse(node))


def test_no_module_changes_python_or_another_package() -> None:
    found = {str(path.relative_to(ROOT)): list(reaches(path)) for path in (ROOT / "pipeline").rglob("*.py")}
    assert {name: problems for name, problems in found.items() if problems} == {}


def test_stages_never_import_stages() -> None:
    for path in (ROOT / "pipeline/stages").glob("*.py"):
        assert not {file for file in import_closure.imported_by(path) if file.parent.name == "stages"}, path


def test_nothing_imports_the_cli() -> None:
    for path in (ROOT / "pipeline").rglob("*.py"):
        if path.name not in ("cli.py", "__main__.py"):
            assert ROOT / "pipeline/cli.py" not in import_closure.imported_by(path), path


def test_release_code_is_no_stages_dependency() -> None:
    dependencies = {dep for stage in STAGES.values() for dep in stage.get("deps", [])}
    assert not {dep for dep in dependencies if "commands/" in dep or dep == "pipeline/chain/history/releases.py"}


def test_every_output_is_ignored_by_git_or_kept_in_it_on_purpose() -> None:
    for stage in STAGES.values():
        for out in stage["outs"]:
            path, cached = (out, True) if isinstance(out, str) else (next(iter(out)), False)
            ignored = subprocess.run(["git", "check-ignore", "-q", path], cwd=ROOT, check=False).returncode == 0
            assert ignored == cached, path


@pytest.mark.parametrize("module", [f"pipeline.stages.{name}" for name in LIGHT_STAGES] + COMMANDS)
def test_light_modules_load_no_heavy_library(module: str) -> None:
    code = f"import sys, {module}; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_answers_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    command = [sys.executable, "-m", "pipeline", "--help"]
    started = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, env=ENVIRONMENT)
    with capsys.disabled():
        print(f"\ngraft --help took {time.perf_counter() - started:.2f} s (aim: under 0.6 s; timings never decide)")
    assert "graft add" in done.stdout


def test_every_command_has_help_with_an_example() -> None:
    for name in cli.COMMANDS:
        assert f"graft {name}" in str(cli.command(name).help), name


def test_no_machine_path_or_registry_host_in_the_tree() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in listed.splitlines():
        path = ROOT / name
        if path.suffix in {".py", ".lock", ".toml", ".yaml", ".yml", ".json", ".dvc"} and path.is_file():
            text = path.read_text(encoding="utf-8")
            assert str(ROOT) not in text, name
            assert "pythonhosted." not in text or path == Path(__file__), name


def test_templates_of_plots_are_in_the_tree() -> None:
    plots = YAML(typ="safe").load(ROOT / "dvc.yaml")["plots"]
    named = {spec["template"] for plot in plots for spec in plot.values() if "template" in spec}
    assert named - {"scatter", "confusion"} == {path.stem for path in (ROOT / ".dvc/plots").iterdir()}  # DVC's own


def test_manifest_depends_on_every_other_output() -> None:
    outs = {
        out if isinstance(out, str) else next(iter(out))
        for name, stage in STAGES.items()
        if name != "manifest"
        for out in stage["outs"]
    }
    assert {dep for dep in STAGES["manifest"]["deps"] if not dep.startswith("pipeline/")} == outs
