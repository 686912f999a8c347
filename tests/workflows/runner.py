"""Plays a job of .github/workflows/ on this machine: its own steps, in their order, in a real clone.

GitHub's part is played here: expressions come from a mapping, and one that has no value there is a mistake of
the test; checkouts are clones at one commit with the depth that GitHub takes; artifacts are folders.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.conftest import ENVIRONMENT, ROOT, Clone

WORKFLOWS = ROOT / ".github/workflows"
_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
_WORD = re.compile(r"\|\||&&|[!=]=|!cancelled\(\)|!|'[^']*'|[\w.*-]+(?:\([^)]*\))?|[()]")
_SKIPPED = "Set up"  # the environment is here already
_PERSON = re.compile(r"GIT_(AUTHOR|COMMITTER)_")  # a runner is nobody


def load(workflow: str) -> dict[str, Any]:
    """A workflow as GitHub reads it, but for `on`, which YAML 1.2 leaves a string."""
    loaded: dict[str, Any] = YAML(typ="safe").load(WORKFLOWS / workflow)
    return loaded


@dataclass
class Values:
    """What stands for `${{ ... }}`: the test's mapping, and what the job's steps put out."""

    given: Mapping[str, str]
    outputs: dict[str, str] = field(default_factory=dict)

    def text(self, text: str) -> str:
        """The text with every expression filled in."""
        return _EXPRESSION.sub(lambda match: self.value(match[1]), text)

    def value(self, expression: str) -> str:
        """`||`, `&&`, `!`, `==`, `!=` and parentheses as GitHub has them; what else there is, is looked up whole."""
        words = [word for word in _WORD.findall(expression) if word.strip()]
        result = self._any(words, True)
        assert not words, f"not understood: {words} of {expression}"
        return result

    def _any(self, words: list[str], needed: bool) -> str:
        """`needed`: whether it counts; a value that another one made superfluous need not be given."""
        result = self._all(words, needed)
        while words[:1] == ["||"]:
            words.pop(0)
            other = self._all(words, needed and not result)
            result = result or other
        return result

    def _all(self, words: list[str], needed: bool) -> str:
        result = self._same(words, needed)
        while words[:1] == ["&&"]:
            words.pop(0)
            other = self._same(words, needed and bool(result))
            result = result and other
        return result

    def _same(self, words: list[str], needed: bool) -> str:
        result = self._term(words, needed)
        if words[:1] in (["=="], ["!="]):
            wanted = words.pop(0) == "=="
            return "true" if (result == self._term(words, needed)) == wanted else ""
        return result

    def _term(self, words: list[str], needed: bool) -> str:
        term = words.pop(0)
        if term == "!":
            return "" if self._term(words, needed) else "true"
        if term == "(":
            result = self._any(words, needed)
            assert words.pop(0) == ")"
            return result
        if term.startswith("'"):
            return term[1:-1]
        if term in self.given or not needed:
            return self.given.get(term, "")
        if term.startswith("steps."):
            return self.outputs.get(term, "")
        raise AssertionError(f"the test gives no value for ${{{{ {term} }}}}")


@dataclass(frozen=True, kw_only=True)
class Played:
    """What a job left behind."""

    folder: Path  # its workspace
    failed: str | None  # name of the step that failed
    said: str
    summary: str
    outputs: dict[str, str]


@dataclass
class Runner:
    """One machine of GitHub's for one job.

    Args:
        origin: bare repository.
        artifacts: folder that jobs share.
        folder: empty, of this machine alone.
        values: what the test says for each expression.
        extra: more environment, such as a PATH with a stand-in for `gh`.
        remotes: DVC remotes that lie elsewhere for this job; a folder that is not there is one that it cannot read.
    """

    origin: Path
    artifacts: Path
    folder: Path
    values: Values
    extra: Mapping[str, str]
    remotes: Mapping[str, Path]

    def play(self, workflow: str, job: str) -> Played | None:
        """Run the job, up to a step that fails; None: its `if` says no."""
        spec = load(workflow)["jobs"][job]
        if not self._wanted(spec):
            return None
        self.workspace.mkdir(parents=True)
        for name in ("said", "summary"):
            (self.folder / name).touch()
        failed = next((step["name"] for step in spec["steps"] if not self._step(step)), None)
        texts = {name: (self.folder / name).read_text(encoding="utf-8") for name in ("said", "summary")}
        assert "Traceback" not in texts["said"], texts["said"]
        outputs = {name: self.values.text(text) for name, text in spec.get("outputs", {}).items()}
        return Played(folder=self.workspace, failed=failed, outputs=outputs, **texts)

    @property
    def workspace(self) -> Path:
        """Where the repository is checked out."""
        return self.folder / "work"

    def _wanted(self, spec: Mapping[str, Any]) -> bool:
        return "if" not in spec or bool(self.values.value(str(spec["if"])))

    def _step(self, step: Mapping[str, Any]) -> bool:
        if step["name"] == _SKIPPED or not self._wanted(step):
            return True
        if "run" in step:
            return self._run(step)
        action = step["uses"].partition("@")[0].replace("/", "_").replace("-", "_")
        getattr(self, f"_{action}")({key: self._filled(value) for key, value in step.get("with", {}).items()}, step)
        return True

    def _filled(self, value: object) -> str:
        return self.values.text(str(value)) if not isinstance(value, bool) else str(value).lower()

    def _run(self, step: Mapping[str, Any]) -> bool:
        out = self.folder / "output"
        out.write_text("")
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-c", step["run"]],
            cwd=self.workspace / step.get("working-directory", "."), env=self._environment(step, out),
            text=True, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        with (self.folder / "said").open("a", encoding="utf-8") as file:
            file.write(f"### {step['name']}\n{done.stdout}")
        for line in out.read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition("=")
            self.values.outputs[f"steps.{step['id']}.outputs.{key}"] = value
        return done.returncode == 0

    def _environment(self, step: Mapping[str, Any], out: Path) -> dict[str, str]:
        own = {key: self._filled(value) for key, value in step.get("env", {}).items()}
        given = {"GITHUB_OUTPUT": str(out), "GITHUB_STEP_SUMMARY": str(self.folder / "summary")}
        nobody = {key: value for key, value in ENVIRONMENT.items() if not _PERSON.match(key)}
        return nobody | {"HOME": str(self.folder)} | dict(self.extra) | given | own

    def _actions_checkout(self, options: Mapping[str, str], _: object) -> None:
        """As actions/checkout 6.0.2: one commit, and all tags when needed; everything for depth 0."""
        assert options["persist-credentials"] == "false"
        clone, ref = Clone(self.workspace / options.get("path", ".")), options.get("ref") or self._ref()
        clone.path.mkdir(exist_ok=True)
        clone.git("init", "-q")
        clone.git("remote", "add", "origin", self.origin.as_uri())
        tags = ["+refs/tags/*:refs/tags/*"] if options.get("fetch-tags") == "true" else []
        if options.get("fetch-depth") == "0":
            clone.git("fetch", "-q", "origin", "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
            clone.git("checkout", "-q", "--detach", ref.replace("refs/heads/", "refs/remotes/origin/"))
        else:
            clone.git("fetch", "-q", "--no-tags", "--depth", "1", "origin", *[f"+{ref}:refs/remotes/pull/it", *tags])
            clone.git("checkout", "-q", "--detach", "refs/remotes/pull/it")
        elsewhere = "".join(f"['remote \"{name}\"']\n    url = {url}\n" for name, url in self.remotes.items())
        (clone.path / ".dvc/config.local").write_text(elsewhere)

    def _actions_upload_artifact(self, options: Mapping[str, str], _: object) -> None:
        target = self.artifacts / options["name"]
        shutil.rmtree(target, ignore_errors=True)
        named = self.workspace / options["path"].strip()
        root = named if named.is_dir() else self.workspace  # of one folder the content, as the action has it
        for pattern in ["*"] if named.is_dir() else options["path"].split():
            for path in root.glob(pattern):
                place = target / path.relative_to(root)
                place.parent.mkdir(parents=True, exist_ok=True)
                if path.is_dir():
                    shutil.copytree(path, place)
                else:
                    shutil.copy2(path, place)
        assert target.exists(), options

    def _actions_download_artifact(self, options: Mapping[str, str], _: object) -> None:
        target = Path(options.get("path") or self.workspace)
        source = self.artifacts / (options.get("name") or options["pattern"])
        if "name" in options or source.exists():
            shutil.copytree(source, target, dirs_exist_ok=True, symlinks=True)

    def _actions_create_github_app_token(self, _: object, step: Mapping[str, Any]) -> None:
        outputs = {"token": "the App's", "app-slug": "graft-of-team"}
        self.values.outputs |= {f"steps.{step['id']}.outputs.{name}": value for name, value in outputs.items()}

    def _ref(self) -> str:
        return self.values.value("github.ref")


def with_first_on_path(folder: Path) -> dict[str, str]:
    """An environment in which a folder's commands come first."""
    return {"PATH": f"{folder}{os.pathsep}{ENVIRONMENT['PATH']}"}
