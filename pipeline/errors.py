"""What a user did wrong, or what Graft refuses, in words and without a traceback."""

import errno
import sys
from collections.abc import Callable, Iterable

from pipeline.visible import one_line

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # of the disk, of a quota, of a process's limit


class GraftError(Exception):
    """A user's mistake or a refusal, with every problem found and the next step.

    Args:
        message: where and what is wrong, one line.
        problems: further problems of the same input, one line each.
        help: what to do about it.
    """

    def __init__(self, message: str, problems: Iterable[str] = (), *, help: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.problems = tuple(problems)
        self.help = help

    def __str__(self) -> str:
        lines = [self.message, *(f"  {problem}" for problem in self.problems)]
        if self.help:
            lines.append(f"  help: {self.help}")
        return "\n".join(map(one_line, lines))  # names and texts from files stand in them


def run(main: Callable[[], None]) -> None:
    """Run a stage's `main`; a GraftError, a full disk or Ctrl-C becomes one message; exit code 1, or 130."""
    try:
        main()
    except KeyboardInterrupt:
        print("Error: interrupted\n  help: dvc repro runs it again", file=sys.stderr)
        raise SystemExit(130) from None
    except GraftError as error:
        print(f"Error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except OSError as error:
        if error.errno not in FULL:
            raise
        print(f"Error: {error.filename or 'a file'}: {error.strerror}\n  help: make room, then again", file=sys.stderr)
        raise SystemExit(1) from None
