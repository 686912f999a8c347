"""What `make setup` shows while pip installs, and that a failure of pip is one of `make`."""

import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

SAID = """Looking in indexes: INDEX
Collecting absl-py==2.5.1 (from -r requirements.lock (line 3))
  Downloading absl_py-2.5.1-py3-none-any.whl (135 kB)
WARNING: something that nobody asked for
Collecting torch==2.13.0 (from -r requirements.lock (line 4))
"""


def follow(said: str, done: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "pipeline/setup_progress.py", ROOT / "requirements.lock", done]
    return subprocess.run(command, input=said, capture_output=True, text=True, check=False)


def test_pips_progress_is_counted_and_its_chatter_left_out(tmp_path: Path) -> None:
    (tmp_path / "done").touch()
    found = follow(f"{SAID}Installing collected packages: absl-py, torch\n", tmp_path / "done")
    assert (found.returncode, found.stderr) == (0, "")
    assert "packages are here; installing them" in found.stdout
    assert "WARNING" not in found.stdout


def test_a_failure_of_pip_is_shown_and_ends_in_1(tmp_path: Path) -> None:
    found = follow(f"{SAID}ERROR: No matching distribution found for torch==2.13.0\n", tmp_path / "done")
    assert found.returncode == 1
    assert "ERROR: No matching distribution" in found.stderr
