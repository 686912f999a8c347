"""Graft: a declarative GitOps repository for fine-tuned language models."""

import importlib.util
import os
import sys
from pathlib import Path

# Threads of torch that spin while they wait take the core from those that work: with one core busy,
# a step took 3 to 8 times as long. It changes no byte.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# `.venv/bin/dvc repro` without an activated environment starts stages with the system's
# python, which lacks the pinned libraries: go on with the environment beside the code.
_VENV_PYTHON = Path(".venv/bin/python")
if importlib.util.find_spec("ruamel") is None and _VENV_PYTHON.exists() and "-m" in sys.orig_argv:
    os.execv(_VENV_PYTHON, [str(_VENV_PYTHON), *sys.orig_argv[1:]])
