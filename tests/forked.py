"""graft and dvc in processes that begin with their imports done: a server forks one for each command.

Python and DVC take two seconds to load, and the suite runs a thousand commands. Every command has a process, a working
directory and an environment of its own; torch is not loaded, and no module of a test. What has to be seen in a process
that starts from nothing (kills, signals, the tutorial, the workflows, `dvc repro`'s stages) is run as one.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
_CODE = ("pipeline", "schemas", "dvc.yaml")  # what a command runs or reads of the tree that it runs from
_LATE = """
import dvc.cachemgr, dvc.data_cloud, dvc.dirs, dvc.repo.artifacts, dvc.repo.datasets, dvc.repo.graph, dvc.repo.index
import dvc.repo.metrics, dvc.repo.params, dvc.repo.plots, dvc.repo.stage, dvc.repo.trie, dvc.rwlock, dvc.scm
import dvc.utils.strictyaml, dvc_data.hashfile.db.index, dvc_data.hashfile.db.local, dvc_data.hashfile.status
import dvc_data.index.checkout, dvc_data.index.collect, dvc_data.index.fetch, dvc_data.index.push
import configobj, dulwich.ignore, dulwich.worktree, fsspec.implementations.memory, networkx, pyparsing, ruamel.yaml
import ruamel.yaml.mergevalue, scmrepo.git
"""  # what DVC imports when it first needs it: most commands do
_LOADED = {
    "dvc": f"""{_LATE}
import dvc._debug, dvc.analytics, dvc.repo.brancher, dvc.repo.open_repo
from dvc.cli import main
from dvc.cli.parser import get_main_parser
""",
    "graft": f"""{_LATE}
import encodings.utf_32_le, ftfy, jsonschema, jsonschema_rs, model_signing.signing, model_signing.verifying
import pandas, pyarrow.pandas_compat, pyarrow.parquet, rich.live, rich.table
from pipeline.chain.candidate import base_resolve
from pipeline.cli import COMMANDS, command, main
from pipeline.data.detect import detect; from pipeline.data.prepare import prepared
from pipeline.stages import assemble, prepare
for name in COMMANDS:
    command(name)
os.execv = lambda *_: None  # this tree's code, which is the clone's, too
""",
}
_SERVER = """
for line in sys.stdin:
    job = json.loads(line)
    if not (child := os.fork()):
        os.chdir(job["path"])
        os.environ.clear()
        os.environ.update(job["environment"])
        output = os.open(job["output"], os.O_WRONLY)
        for number, place in enumerate([os.open(os.devnull, os.O_RDONLY), output, output]):
            os.dup2(place, number)
        signal.alarm(job["seconds"])
        sys.argv = job["command"]
        code = 1
        try:
            code = main() or 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Server:
    """Runs commands of one program, one at a time.

    Args:
        program: graft or dvc.
        scratch: a folder for what they say.
        environment: of the server; each command has its own.
    """

    def __init__(self, program: str, scratch: Path, environment: Mapping[str, str]) -> None:
        code = f"import json, os, signal, sys, traceback\n{_LOADED[program]}\n{_SERVER}"
        self.program = program
        self.output = scratch / "output"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=scratch,
            env={**environment, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip

    def run(self, path: Path, *arguments: str, environment: Mapping[str, str], seconds: int = 0) -> tuple[int, str]:
        """Exit code and output (both streams) of a command in a folder; 0 seconds: no limit."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.output.write_text("")
        command = [self.program, *arguments]
        job = {"path": str(path), "command": command, "environment": dict(environment), "output": str(self.output)}
        print(json.dumps(job | {"seconds": seconds}), file=self.process.stdin, flush=True)
        code = int(self.process.stdout.readline())
        return code, self.output.read_text(encoding="utf-8", errors="replace")


def runs_this_code(path: Path) -> bool:
    """Whether graft, typed in this folder, would run the same code as this tree's."""
    root = next((folder for folder in (path, *path.parents) if (folder / "dvc.yaml").is_file()), None)
    return root is None or _contents(root) == _contents_here()


@cache
def _contents_here() -> dict[Path, bytes]:
    return _contents(ROOT)


def _contents(root: Path) -> dict[Path, bytes]:
    files = [file for name in _CODE for file in ((root / name).rglob("*") if (root / name).is_dir() else [root / name])]
    return {
        file.relative_to(root): file.read_bytes()
        for file in files
        if file.is_file() and "__pycache__" not in file.parts
    }
