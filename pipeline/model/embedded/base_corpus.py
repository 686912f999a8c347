"""The text that an embedded base is built from, and the form in which it reads text and chats."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.common.errors import GraftError

START, END, PAD = "<|im_start|>", "<|im_end|>", "<|endoftext|>"
SPECIALS = [PAD, START, END]  # in the order of their ids
# Chat turns cost few tokens: a model of this size reads short prompts.
TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
_HELP = "name UTF-8 text files or folders of them in params.yaml"


def read_corpus(corpus: Sequence[Path]) -> list[str]:
    """Every line that is not blank, of files and of folders' .txt files.

    Raises:
        GraftError: a path is missing, empty or not UTF-8; all of them are named.
    """
    lines: list[str] = []
    problems: list[str] = []
    for path in corpus:
        found = [_read(source) for source in _sources(path)]
        failed = [problem for _, problem in found if problem]
        if not failed and not any(text for text, _ in found):
            failed = [f"{path}: no text in it" + (" (files must be named *.txt)" if path.is_dir() else "")]
        problems += failed
        lines += [line for text, _ in found for line in text.split("\n") if line.strip()]
    if problems:
        raise GraftError(f"base.corpus: {problems[0]}", problems[1:], help=_HELP)
    return lines


def as_document(line: str) -> str:
    """A corpus line as the model reads it: a chat turn if it has a tab, else plain text."""
    question, tab, answer = line.rstrip("\r").partition("\t")
    if not tab:
        return question + PAD
    return f"{START}user\n{question}{END}{START}assistant\n{answer}{END}"


def words(documents: Sequence[str]) -> Iterator[str]:
    """The documents' text without the special tokens, for a tokenizer to learn from."""
    for document in documents:
        yield from re.split(r"<\|\w+\|>", document)


def _sources(path: Path) -> list[Path]:
    return sorted(path.rglob("*.txt"), key=lambda p: p.as_posix()) if path.is_dir() else [path]


def _read(path: Path) -> tuple[str, str | None]:
    """A file's text, empty when it is blank, and the problem if it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        return "", f"{path}: not UTF-8 at byte {error.start}"
    except OSError as error:
        return "", f"{path}: {error.strerror}"
    return (text if text.strip() else ""), None
