"""Graft: a declarative GitOps repository for fine-tuned language models."""

import importlib.util
import os

# Threads of torch that spin while they wait take the core from those that work: with one core busy,
# a step took 3 to 8 times as long. It changes no byte.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Nothing here is compiled, but bitsandbytes decorates functions with torch.compile when PEFT imports it: a second.
os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")

if importlib.util.find_spec("ruamel") is None:  # `.venv/bin/dvc repro` starts stages with whatever python is in PATH
    raise SystemExit("Error: this Python lacks Graft's libraries\n  help: source .venv/bin/activate, then run again")
