"""graft in processes that begin with their imports done: a server forks one for each command.

Python and DVC take a second to load, and a test over many broken files runs hundreds of commands. Every command has a
process, a working directory and an environment of its own; none of the test's modules are in it.
"""

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from tests.conftest import ENVIRONMENT, ROOT

SERVER = """
import json, os, signal, sys, traceback
import dvc.repo, jsonschema, pyarrow
import pipeline.cli
from pipeline.data import detect, prepared
from pipeline.stages import assemble, prepare
os.execv = lambda *_: None  # this tree's code, and not the clone's
for line in sys.stdin:
    asked = json.loads(line)
    if not (child := os.fork()):
        os.chdir(asked["path"])
        os.environ.update(asked["environment"])
        output = os.open(asked["output"], os.O_WRONLY)
        for number, place in enumerate([os.open(os.devnull, os.O_RDONLY), output, output]):
            os.dup2(place, number)
        signal.alarm(120)
        sys.argv = ["graft", *asked["arguments"]]
        code = 1
        try:
            pipeline.cli.main()
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
    """Runs graft commands, one at a time; a context manager."""

    def __init__(self, scratch: Path) -> None:
        self.output = scratch / "output"
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=scratch,
            env=ENVIRONMENT | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()

    def graft(self, path: Path, *arguments: str, **environment: str) -> tuple[int, str]:
        """Exit code and output (both streams) of a command in a clone."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.output.write_text("")
        asked = {"path": str(path), "arguments": arguments, "environment": environment, "output": str(self.output)}
        print(json.dumps(asked), file=self.process.stdin, flush=True)
        code = int(self.process.stdout.readline())
        return code, self.output.read_text(encoding="utf-8", errors="replace")
