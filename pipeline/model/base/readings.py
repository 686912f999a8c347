"""Whether a base's tokenizer.json, read plainly, gives the tokens that transformers' AutoTokenizer gives.

    python -m pipeline.model.base.readings FOLDER    # JSON: the probes that the two read differently

Graft trains, scores and measures with AutoTokenizer, and so does a user of what it publishes. Token counts, and servers
without Python, read tokenizer.json itself. AutoTokenizer takes the class of the model's kind, which may bring a
pre-tokenizer of its own: then a base that learned one of the two is served with the other, and nothing says so.

transformers loads torch, so the comparison has a process of its own; it takes about six seconds, when the base changed.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.common.errors import GraftError

FILE = "tokenizer.json"
# What the classes of tokenizers treat in different ways.
PROBES = (
    "Norvik fridge 90L, 12.5 kg, 1,024 x 768",  # digits, one by one or in runs
    "Room 101: 2026-01-31 18:05:59 +0200",
    "I'm sure they'll say it's Bob's; WE'RE NOT",  # contractions
    "Gro\u0308\u00dfe, cafe\u0301, A\u030angstro\u0308m",  # NFD
    "Größe, café, Ångström, ﬁne ½ № Ⅳ",  # NFC, and what NFKC would change
    "Привет мир, γειά σου 42",
    "蓝色鞋子 青い靴 파란 신발 รองเท้า",  # scripts without spaces
    "שלום עולם مرحبا بالعالم ١٢٣",
    "नमस्ते दुनिया १२३",
    "👍🏽 ok 👩‍👩‍👧‍👦 🇫🇷!! 🚲",
    "def f(x):\n    return {'a': [x**2, -1e-9]}  # why?\n\n",
    "a  b   c \t d\n\n\n  e \r\n f",  # runs of blanks
    "https://example.org/a_b?q=1&r=%20#top  snake_case camelCase",
    "!!! ... --- #42 $9.99 (50%) <b>bold</b> \u2014 \u201cquoted\u201d",
    "UPPER lower MiXeD a\u00a0b\u200bc\ufeff",
    "the end.",
)
_MARKS = ("▁", "Ġ")  # of a word's beginning: of SentencePiece, of byte-level BPE
_SHOWN = 12  # tokens of a reading in a message
_HELP = "see docs/how-to/base.md, Two readings of one tokenizer"


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadTwice:
    """A text whose two readings differ."""

    text: str
    plain: list[str]  # tokens by tokenizer.json
    auto: list[str]  # tokens by AutoTokenizer
    reader: str  # the class that AutoTokenizer took


def refuse_two_readings(name: str, folder: Path, pinned: Sequence[str]) -> None:
    """Compare the two readings of a base's tokenizer, in a process of its own.

    Args:
        name: of the base, for the message: builtin, hf:ORG/NAME or path:DIR.
        folder: where its files are.
        pinned: their names; nothing else is read.

    Raises:
        GraftError: they differ on a probe.
    """
    if FILE not in pinned:
        return  # one reading only
    with tempfile.TemporaryDirectory() as scratch:
        for file in pinned:
            if not file.startswith("model"):
                (Path(scratch) / file).parent.mkdir(parents=True, exist_ok=True)
                (Path(scratch) / file).symlink_to((folder / file).absolute())
        different = _compared_elsewhere(Path(scratch))
    if different:
        first = different[0]
        raise GraftError(
            f"{name}: {FILE} read plainly and AutoTokenizer ({first.reader}) give different tokens",
            [f"text: {first.text!r}", f"{FILE}: {_words(first.plain)}", f"AutoTokenizer: {_words(first.auto)}"],
            help=f"make base, then graft lock; {_HELP}" if name == "builtin" else _HELP,
        )


def _compared_elsewhere(folder: Path) -> list[ReadTwice]:
    command = [sys.executable, "-m", "pipeline.model.base.readings", str(folder)]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment, check=False
    )
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise GraftError("the tokenizer of the base could not be compared", lines[-3:], help="dvc repro base")
    return [ReadTwice(**different) for different in json.loads(done.stdout.splitlines()[-1])]


def differences(folder: Path) -> list[ReadTwice]:
    """The probes on which the two readings of a base's tokenizer differ; none where one of them cannot be had.

    A token that marks the beginning of a text or of what follows a special token may be there or not: that is how
    SentencePiece tokenizers of one model were converted at different times, and no text is split in another way.
    """
    from tokenizers import Tokenizer

    try:
        plain = Tokenizer.from_file(str(folder / FILE))
    except Exception:  # the library's own kind; what cannot be read fails where it is needed, in words
        return []
    auto = _auto(folder)
    if auto is None:
        return []
    plain.no_truncation()
    plain.no_padding()
    special = {str(token) for token in auto.all_special_tokens}
    texts = [*PROBES, *(f"one{token}Two 22{token}\n three" for token in sorted(special)[:4])]
    different = []
    for text in texts:
        ours = plain.encode(text, add_special_tokens=False).tokens
        theirs = auto.convert_ids_to_tokens(auto(text, add_special_tokens=False, verbose=False)["input_ids"])
        if _unmarked(ours, special) != _unmarked(theirs, special):
            different.append(ReadTwice(text=text, plain=ours, auto=theirs, reader=type(auto).__name__))
    return different


def _auto(folder: Path) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder)
    except Exception:  # of any kind, as files and installed libraries have it; train says it in words
        return None


def _unmarked(tokens: Sequence[str], special: set[str]) -> list[str]:
    """Tokens without the mark of a beginning, at the start and after a special token."""
    kept: list[str] = []
    begins = True
    for token in tokens:
        bare = token[1:] if begins and token.startswith(_MARKS) else token
        if bare:
            kept.append(bare)
        begins = token in special
    return kept


def _words(tokens: Sequence[str]) -> str:
    more = f" and {len(tokens) - _SHOWN} more" if len(tokens) > _SHOWN else ""
    return " ".join(map(repr, tokens[:_SHOWN])) + more


def main() -> None:
    """Print the differences of a folder as one line of JSON."""
    print(json.dumps([asdict(different) for different in differences(Path(sys.argv[1]))]))


if __name__ == "__main__":
    main()
