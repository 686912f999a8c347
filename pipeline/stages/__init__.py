"""One module per stage of dvc.yaml; stages meet only through the files named there."""

import importlib.util

if importlib.util.find_spec("ruamel") is None:  # `.venv/bin/dvc repro` starts stages with whatever python is in PATH
    raise SystemExit("Error: this Python lacks Graft's libraries\n  help: source .venv/bin/activate, then run again")
