"""What libyaml reads is what ruamel reads, by which DVC does, and nothing ends the process."""

import time

import pytest
from ruamel.yaml import YAML

from pipeline.common import yaml
from pipeline.common.errors import GraftError
from tests.conftest import ROOT

SCALARS = """
a: 1e-4
b: no
c: 017
d: 0x1F
e: 1_000
f: [.5, 1., .inf, -3, 0o17, 0b11, 1e10, -0]
g: {date: 2026-01-01, null: ~, text: "1e3", time: 12:30, yes: off}
h:
  - ""
  - |
    lines
base: &base {x: 1, y: 2}
more: {<<: *base, x: 3}
"""


@pytest.mark.parametrize("path", ["dvc.lock", "dvc.yaml", "params.yaml", ".github/workflows/retrain.yml"])
def test_files_of_the_repository_read_as_ruamel_reads_them(path: str) -> None:
    content = (ROOT / path).read_bytes()
    assert yaml.parse(content, path) == YAML(typ="safe", pure=True).load(content)


def test_scalars_read_as_ruamel_reads_them() -> None:
    found, expected = yaml.parse(SCALARS.encode(), "it"), YAML(typ="safe", pure=True).load(SCALARS)
    assert repr(found) == repr(expected)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("- " * 40_000 + "a", id="sequences"),
        pytest.param("? " * 40_000 + "a", id="keys"),
        pytest.param("[a," * 40_000 + "]" * 40_000, id="flow"),
        pytest.param("{a: " * 40_000 + "1" + "}" * 40_000, id="mappings"),
        pytest.param("[a," * 40_000, id="unclosed"),
        pytest.param("".join(" " * depth + "a:\n" for depth in range(3_000)), id="indented"),
        pytest.param("a: 1\n" * 2, id="twice"),
        pytest.param("".join(f"k{number}: 1\n" for number in range(30_000)) + "k29999: 2\n", id="twice-in-many"),
        pytest.param("? [a]\n: 1\n", id="a-list-as-key"),
        pytest.param("a: !!python/object:os.system x\n", id="python-tag"),
        pytest.param("a: 1\n---\nb: 2\n", id="two-documents"),
        pytest.param("a: 2026-13-01\n", id="month-13"),
    ],
)
def test_what_cannot_be_is_one_error_at_once(text: str) -> None:
    began = time.monotonic()
    with pytest.raises(GraftError, match=r"^it: "):
        yaml.parse(text.encode(), "it")
    assert time.monotonic() - began < 60, "not in minutes, on whatever machine"


def test_nested_less_is_read() -> None:
    assert yaml.parse(("- " * 100 + "a").encode(), "it")
    assert yaml.parse(("[" * 100 + "]" * 100).encode(), "it")
