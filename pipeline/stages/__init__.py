"""One module per stage of dvc.yaml.

Pure functions on values, and a thin `main` that reads and writes files. A stage imports no other stage: they meet
through the files that dvc.yaml names.
"""

import importlib.util

if importlib.util.find_spec("ruamel") is None:  # `.venv/bin/dvc repro` starts stages with whatever python is in PATH
    raise SystemExit("Error: this Python lacks Graft's libraries\n  help: source .venv/bin/activate, then run again")
