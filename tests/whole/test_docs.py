"""The documents hold true: generated pages are current, links lead somewhere, commands exist."""

import json
import re
import runpy
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from dvc.cli.parser import get_main_parser
from ruamel.yaml import YAML

from pipeline.cli import COMMANDS
from pipeline.cli import command as of_name
from tests.conftest import ROOT

LISTED = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
    cwd=ROOT, check=True, capture_output=True, text=True,
).stdout.split()  # fmt: skip
PAGES = [ROOT / name for name in LISTED if not name.startswith(("reports/", "tests/")) and (ROOT / name).exists()]
GENERATED = runpy.run_path(str(ROOT / "docs/generate.py"))["pages"]()
STAGES = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`((?:graft|make|dvc) [^`]+)`", re.DOTALL)
_LINK = re.compile(r"\]\((?!https?://)([^)\s]+)\)")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def fenced(text: str, language: str) -> list[str]:
    return [body for found, body in _FENCED.findall(text) if found == language]


def typed(text: str) -> Iterator[list[str]]:
    """Every graft, make and dvc command of the sh blocks, as words."""
    for line in "\n".join(fenced(text, "sh")).replace("\\\n", " ").splitlines():
        words: list[str] = []
        for word in [*shlex.split(line, comments=True), "&&"]:
            if word not in ("&&", "|", ";", ">"):
                words.append(word)
                continue
            if words and words[0] in ("graft", "make", "dvc"):
                yield words
            words = []


def anchors(path: Path) -> set[str]:
    """Headings of a page as GitHub links to them."""
    text = _FENCED.sub("", path.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", GENERATED, ids=name_of)
def test_generated_page_is_current(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == GENERATED[path], "python docs/generate.py"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    text = _FENCED.sub("", page.read_text(encoding="utf-8"))
    for link in _LINK.findall(text):
        target, _, anchor = link.partition("#")
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), link
        assert not anchor or anchor in anchors(file), link


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_typed_command_parses(page: Path) -> None:
    for command, *words in typed(page.read_text(encoding="utf-8")):
        if command == "make":
            assert {word for word in words if "=" not in word} <= TARGETS, words
        elif command == "dvc":
            get_main_parser().parse_args(words)
        else:
            assert words[0] in COMMANDS, words
            of_name(words[0]).make_context(words[0], words[1:])


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_named_in_a_sentence_exists(page: Path) -> None:
    text = _FENCED.sub("", page.read_text(encoding="utf-8"))
    for command, name, *words in map(str.split, _INLINE.findall(text)):
        known = {"make": TARGETS, "graft": COMMANDS, "dvc": dvc_commands()}[command]
        assert name in known or name.startswith("-"), f"{command} {name}"
        if command == "graft" and name in COMMANDS:
            options = {option for param in of_name(name).params for option in param.opts + param.secondary_opts}
            assert {word for word in words if word.startswith("--")} <= options | {"--help"}, words


def dvc_commands() -> set[str]:
    actions = get_main_parser()._subparsers._group_actions
    return set(actions[0].choices)


def test_the_readmes_listing_names_only_what_exists() -> None:
    [listing] = fenced((ROOT / "README.md").read_text(encoding="utf-8").partition("## The tree")[2], "text")[:1]
    lines = [line for line in listing.splitlines() if line]
    assert len(lines) <= 20
    for line in lines:
        first, described = line.split(maxsplit=1)
        assert (ROOT / first).exists() or is_output(first.rstrip("/")), first
        for word in re.findall(r"[\w./-]*\w(?:\.[a-z]{2,5}\b|/(?!\w))", described.replace("NAME", "")):
            found = (name for start in ("", first, f"{first}**/") for name in ROOT.glob(f"{start}{word.strip('/')}"))
            assert next(found, None) or is_output(first + word), word


def is_output(name: str) -> bool:
    """Whether the pipeline makes it, as it may not have done here yet."""
    return any(out.startswith(name) for out in outputs())


def outputs() -> list[str]:
    return [out if isinstance(out, str) else next(iter(out)) for stage in STAGES.values() for out in stage["outs"]]


def test_the_reference_names_every_stage_output_and_key() -> None:
    text = (ROOT / "docs/reference.md").read_text(encoding="utf-8")
    assert [name for name in STAGES if f"| `{name}` |" not in text] == []
    assert [out for out in outputs() if Path(out).name not in text] == []
    for report in ("training", "metrics", "manifest", "verdict"):
        keys = json.loads((ROOT / f"reports/{report}.json").read_text(encoding="utf-8"))
        assert [key for key in keys if f"`{key}`" not in text] == [], report


def test_the_real_titles_page_has_the_one_block_that_its_benchmark_types() -> None:
    commands = runpy.run_path(str(ROOT / "benchmarks/real_titles.py"))["commands"]()
    assert commands.startswith("graft add")
    assert commands.rstrip().endswith("dvc repro")


def test_every_option_of_every_command_says_what_it_does() -> None:
    for name in COMMANDS:
        for param in of_name(name).params:
            assert not isinstance(param, click.Option) or param.help, f"{name} {param.name}"
