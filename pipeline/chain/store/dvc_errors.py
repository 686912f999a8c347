"""What DVC's exceptions mean for a user: the place, the rule, the way out. Loads no DVC."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from pipeline.common.errors import GraftError

_CONFIGS = (".dvc/config", ".dvc/config.local")
_IGNORE = Path(".dvcignore")
_RESTORE = "git restore brings the committed one back; in a merge or rebase `graft lock --parent latest` settles it"
# An exception's class or words, and what helps. The first that fits is it.
_HELP = (
    ("NotDvcRepoError", "git restore .dvc brings the folder back"),
    (
        "is git-ignored",
        "git check-ignore --verbose PATH names the rule, which may be in a list of your own",
    ),
    ("RWLockFile", "where no other dvc runs, delete .dvc/tmp/rwlock"),
    ("RWLock-file", "where no other dvc runs, delete .dvc/tmp/rwlock"),
    ("Lock", "another dvc or graft is at work here; run this again when it has ended"),
    ("validation failed", _RESTORE),
    ("RecursionError", _RESTORE),
    ("YAML", _RESTORE),
    ("No space left", "make room, then run this again"),
    ("Permission denied", "this account may not: ls -l shows whose it is"),
    ("SCMError", "git status says more; where .git/config is broken, it names the line"),
)


@contextlib.contextmanager
def translated(what: str, root: Path = Path()) -> Iterator[None]:
    """Whatever DVC raises inside becomes one GraftError; what the system refuses goes through.

    Args:
        what: was done, as it begins the message.
        root: folder that holds .dvc/.
    """
    try:
        yield
    except (GraftError, OSError):
        raise
    except UnicodeDecodeError as error:
        raise GraftError(f"{_not_utf8(root)}: not UTF-8 at byte {error.start}", help=_RESTORE) from error
    except Exception as error:  # DVC lets through what its parsers and git libraries raise
        raise _of(error, what, root) from error


def way_out(said: str) -> str:
    """What helps where DVC said this."""
    return next((words for sign, words in _HELP if sign in said), "dvc status --verbose says more")


def _of(error: Exception, what: str, root: Path) -> GraftError:
    said = [line.strip() for line in (str(error).strip() or type(error).__name__).splitlines() if line.strip()]
    if "ConfigError" in type(error).__name__:
        place, fault = " or ".join(_broken(root) or _CONFIGS), said[0].removeprefix("config file error: ")
        return GraftError(
            f"{place}: not a config of DVC: {fault}",
            said[1:],
            help="edit the file, or git restore .dvc/config; dvc config --list --show-origin reads it again",
        )
    signs = " ".join([*(type(link).__name__ for link in _chain(error)), *said])
    return GraftError(f"{what}: {said[0]}", said[1:], help=way_out(signs))


def _broken(root: Path) -> list[str]:
    """Config files of this repository that are not even in the form of one."""
    from configobj import ConfigObj, ConfigObjError

    broken = []
    for name in _CONFIGS:
        try:
            ConfigObj((root / name).read_text(encoding="utf-8").splitlines() if (root / name).is_file() else [])
        except (ConfigObjError, UnicodeDecodeError):
            broken.append(name)
    return broken


def _not_utf8(root: Path) -> str:
    """A file that DVC reads as text and that is none."""
    try:
        (root / _IGNORE).read_text(encoding="utf-8")
    except OSError:
        return "a file that DVC reads"
    except UnicodeDecodeError:
        return str(_IGNORE)
    return "a file that DVC reads"


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or link.__context__
