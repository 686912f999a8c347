"""What a user did wrong, or what Graft refuses, in words and without a traceback."""

import errno
import sys
from collections.abc import Callable, Iterable

from pipeline.common.visible import one_line

_SYSTEM = (
    ((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "make room, then run this again"),
    ((errno.EACCES, errno.EPERM, errno.EROFS), "this account may not: ls -l shows whose it is"),
    (
        (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP),
        "git status shows what differs; git restore brings it back",
    ),
)


# What torch's allocators say; there is no exception of its own for the CPU's.
_NO_MEMORY = (
    "out of memory", "can't allocate memory", "not enough memory", "std::bad_alloc",
    "Storage size calculation overflowed",
)  # fmt: skip


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
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and not any(words in str(error) for words in _NO_MEMORY):
            raise
        print(f"Error: {_out_of_memory()}", file=sys.stderr)
        raise SystemExit(1) from None
    except OSError as error:
        if error.errno == errno.EPIPE:  # whoever reads the output has gone
            raise
        print(f"Error: {of_system(error)}", file=sys.stderr)
        raise SystemExit(1) from None


def _out_of_memory() -> GraftError:
    return GraftError(
        "out of memory: the model, or what is trained of it, does not fit",
        help="a smaller base, train.rank, max_length or batch_size; graft plan --gpu CARDS says what would fit",
    )


def of_system(error: OSError) -> GraftError:
    """What the system refused, as an error with the path and the way out."""
    way_out = next((words for numbers, words in _SYSTEM if error.errno in numbers), "look at it, then run this again")
    return GraftError(f"{error.filename2 or error.filename or 'a file'}: {error.strerror or error}", help=way_out)
