"""Chat templates that take the place of a base's own: two that are shipped, or a file of the repository."""

from collections.abc import Iterable
from pathlib import Path

from pipeline.common import files
from pipeline.common.errors import GraftError

SHIPPED = Path(__file__).parent
FOLDER = Path("data/templates")  # a dependency of the stages that render: an edit of a template runs them again


def text(name: str | None) -> str | None:
    """The Jinja text that `train.chat_template` names; None: the base's own.

    Args:
        name: chatml, plain, or a file below data/templates.

    Raises:
        GraftError: there is no such template, or it lies elsewhere.
    """
    if name is None:
        return None
    shipped = {path.stem: path for path in sorted(SHIPPED.glob("*.jinja"))}
    path = shipped.get(name, Path(name))
    help_text = f"null: the base's own; {', '.join(shipped)}; or a file below {FOLDER}"
    if name not in shipped and not path.resolve().is_relative_to(FOLDER.resolve()):
        raise GraftError(f"train.chat_template: {name} does not lie below {FOLDER}", help=help_text)
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise GraftError(f"train.chat_template: {name}: {error}", help=help_text) from None


def missing(base: Path, problems: Iterable[str] = ()) -> GraftError:
    """The error of a base that has none, where records can only be shown by one."""
    return GraftError(
        f"{base}: the base has no chat template",
        list(problems),
        help="train.chat_template: chatml, or plain, or a file; or choose an instruction-tuned base",
    )


def base_has_one(base: Path) -> bool:
    """Whether a base brings a chat template of its own, by its files alone."""
    config = base / "tokenizer_config.json"
    return any(base.glob("chat_template*")) or (config.is_file() and bool(files.read_json(config).get("chat_template")))
