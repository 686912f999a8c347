"""The base's files where a stage reads them, every one checked by hash before it is used."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from pipeline.common import files, line_ends
from pipeline.common.errors import GraftError
from pipeline.model.base import hub

BUILTIN = Path("examples/base")
PIN_DIR = Path("models/base")
WEIGHTS = ("model.safetensors", "model.safetensors.index.json")  # one file, or shards; transformers looks in this order
# What a causal LM loads beside its weights. No pickles, no code: neither can run on anybody's machine.
BESIDE = (
    "config.json",
    "generation_config.json",
    "tokenizer*.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab*.json",
    "vocab*.txt",
    "merges*.txt",
    "*.model",
    "chat_template*.json",
    "chat_template*.jinja",
)
_TEXTS = (".json", ".jinja", ".txt")
_LINE_ENDS = f"line ends alone differ: {line_ends.BEFORE}then: {line_ends.WAY_OUT}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Pin:
    """models/base/pin.json: which files are the base, and where they lie."""

    source: str  # builtin | hf:ORG/NAME | path:DIR
    revision: str | None  # hf: commit, 40 hex digits
    sha256: dict[str, str]  # file -> 64 hex digits
    store: str  # cache: where the source has them | dvc: copied to models/base/weights


def locate(pin_dir: Path = PIN_DIR) -> Path:
    """Folder with the base's files; a hub's are downloaded if its cache lost them.

    Raises:
        GraftError: no pin, or files that are missing or differ from it (all of them named).
    """
    pin = read_pin(pin_dir)
    if pin.store == "dvc":
        return verified(pin_dir / "weights", pin.sha256, help="dvc checkout --force models/base, or dvc repro -f base")
    return origin(pin)


def origin(pin: Pin) -> Path:
    """Folder where the base's source has its files; raises like `locate`."""
    if not pin.source.startswith("hf:"):
        folder = local_folder(pin.source)
        refuse_links(folder, pin.sha256)
        return verified(folder, pin.sha256, help=_restore(pin.source))
    if pin.revision is None:
        raise GraftError(f"{pin.source}: pinned without a commit", help="graft lock")
    return hub.fetch(pin.source.removeprefix("hf:"), pin.revision, pin.sha256)


def local_folder(source: str) -> Path:
    """Folder that `builtin` or `path:DIR` means; DIR is relative to the repository, or absolute."""
    return BUILTIN if source == "builtin" else Path(source.removeprefix("path:")).expanduser()


def verified(folder: Path, sha256: Mapping[str, str], *, help: str) -> Path:
    """The folder itself, once each file there has its hash and none that would be loaded is unknown.

    Raises:
        GraftError: naming every missing, corrupt and unknown file, with `help`.
    """
    present = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    problems = [problem for name in sorted(sha256) if (problem := _problem(folder / name, name, sha256[name]))]
    unknown = sorted(name for name in loaded(present) if name not in sha256)
    problems += [f"{name}: not pinned, yet it would be loaded" for name in unknown]
    if problems:
        rewritten = any(_has_other_line_ends(folder / name, expected) for name, expected in sha256.items())
        raise GraftError(f"{folder}: not as pinned", problems, help=_LINE_ENDS if rewritten else help)
    return folder


def refuse_links(folder: Path, names: Iterable[str]) -> None:
    """Refuse a local base whose files are links: what they lead to is not in the folder that was pinned.

    A hub's cache is allowed: its snapshots/COMMIT/ holds links into the blobs/ beside it, which are named by content.

    Raises:
        GraftError: naming every link.
    """
    top = folder.resolve()
    blobs = top.parent.parent / "blobs" if top.parent.name == "snapshots" else None
    links = [
        f"{name}: a link to {(folder / name).resolve()}"
        for name in sorted(names)
        if _is_link(folder, name) and (folder / name).resolve().parent != blobs
    ]
    if links:
        raise GraftError(
            f"{folder}: a base is pinned by its own files, and these are links", links, help=f"cp -rL {folder} COPY"
        )


def _is_link(folder: Path, name: str) -> bool:
    """Whether the file, or a folder on the way to it, is a link."""
    parts = Path(name).parts
    return any(folder.joinpath(*parts[:length]).is_symlink() for length in range(1, len(parts) + 1))


def loaded(names: Iterable[str]) -> list[str]:
    """Those of a folder's files that loading a model from it may read, shards of the weights aside."""
    patterns = (*BESIDE, *WEIGHTS, "adapter_config.json")  # transformers loads an adapter that lies in a base's folder
    return [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]


def read_pin(pin_dir: Path = PIN_DIR) -> Pin:
    """The pin that stage `base` wrote.

    Raises:
        GraftError: it is missing or broken.
    """
    path = pin_dir / "pin.json"
    try:
        return Pin(**files.read_json(path))
    except FileNotFoundError:
        raise GraftError(f"{path}: no such file", help="dvc repro base") from None
    except (GraftError, TypeError):
        raise GraftError(f"{path}: not a pin of this Graft", help="dvc repro -f base") from None


def write_pin(pin: Pin, pin_dir: Path = PIN_DIR) -> None:
    """Replace the pin in one step; `read_pin` gives it back."""
    files.write_json(pin_dir / "pin.json", asdict(pin))


def _problem(path: Path, name: str, expected: str) -> str | None:
    try:
        found = files.sha256(path)
    except FileNotFoundError:
        return f"{name}: missing, expected {expected}"
    except OSError as error:
        return f"{name}: {error.strerror}, expected {expected}"
    return None if found == expected else f"{name}: expected {expected}, found {found}"


def _has_other_line_ends(path: Path, expected: str) -> bool:
    """Whether a text is the pinned one but for CRLF, as git writes it on some machines."""
    if path.suffix not in _TEXTS or not path.is_file():
        return False
    content = path.read_bytes()
    return b"\r\n" in content and hashlib.sha256(line_ends.with_lf(content)).hexdigest() == expected


def _restore(source: str) -> str:
    restored = "git checkout -- examples/base" if source == "builtin" else "bring the pinned files back"
    return f"{restored}; if the change is meant, graft lock pins what is there now"
