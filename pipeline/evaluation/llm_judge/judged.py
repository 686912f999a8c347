"""Scores of answers in words, given by people or by a model that judges; looked up by the content that was judged.

Stage evaluate asks nobody: it reads a committed file in the folder `metrics`. `make judge` asks for what is missing
there. A judge hardly says the same twice, and this way the stage still repeats byte for byte. Loads no torch.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.common.errors import GraftError
from pipeline.data.records.records import Record
from pipeline.evaluation import predictions
from pipeline.evaluation.llm_judge import ratings
from pipeline.evaluation.metrics.classification import DIGITS
from pipeline.evaluation.predict import keys

JUDGEMENTS = Path("metrics/judgements.jsonl")  # what a model said, a line each
HELP = "docs/how-to/judge.md says how answers are judged"

_PLACE = re.compile(r"\{(question|reference|answer|low|high)\}")

Row = Mapping[str, Any]  # what one model said of an item


@dataclass(frozen=True, kw_only=True, slots=True)
class Judge:
    """Who judges, and how."""

    scale: tuple[float, float]  # the lowest and the highest score
    path: Path  # of the committed file of scores
    by: Any  # what judges, as part of keys; None: people
    template: str | None  # of the prompt of a model

    def key(self, record: Record, answer: str) -> str:
        """What a score belongs to, 32 hex digits: the judge, the scale, and all that the judge is shown.

        People's ratings name an item and the hash of its answer, and so do their keys.
        """
        if self.by is None:
            return self.rated(record.id, ratings.hashed(answer))
        return keys.digest(["judged", self.by, self.scale, question(record), record.answer, answer])

    def rated(self, id_: str, digest: str) -> str:
        """The key of a person's rating."""
        return keys.digest(["rated", self.scale, id_, digest])

    def prompt(self, record: Record, answer: str) -> str:
        """What the model that judges is told; braces in the texts themselves stay as they are."""
        told = {"question": question(record), "reference": record.answer, "answer": answer}
        told |= {"low": f"{self.scale[0]:g}", "high": f"{self.scale[1]:g}"}
        return _PLACE.sub(lambda found: told[found[1]], self.template or "")


def load(asked: Mapping[str, Any] | None) -> Judge | None:
    """Who `evaluate.judge` asks for; None: nobody.

    Raises:
        GraftError: the prompt's file is not there, or has no place for the answer.
    """
    if asked is None:
        return None
    low, high = map(float, asked["scale"])
    if "ratings" in asked:
        return Judge(scale=(low, high), path=Path(asked["ratings"]), by=None, template=None)
    path = Path(asked["prompt"])
    template = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None
    if template is None or "{answer}" not in template:
        wrong = "is not there" if template is None else "has no {answer}: the judge would not see it"
        raise GraftError(f"params.yaml: $.evaluate.judge.prompt: {path} {wrong}", help=HELP)
    by = [asked["model"], template, asked["max_tokens"]]
    return Judge(scale=(low, high), path=JUDGEMENTS, by=by, template=template)


def question(record: Record) -> str:
    """What the model was asked, as a judge reads it; of several messages each with its role."""
    told = [(str(message["role"]), _content(message)) for message in record.prompt]
    return told[0][1] if len(told) == 1 else "\n\n".join(f"{role}: {content}" for role, content in told)


def known(judge: Judge, before: Sequence[Mapping[str, Any]] = ()) -> dict[str, float | None]:
    """Scores by key: those in the states of earlier releases, and the committed file's, which overrules them.

    Args:
        judge: who judges.
        before: contents of predictions.json.

    Raises:
        GraftError: the file is no good; every line is named.
    """
    found: dict[str, float | None] = {}
    for row in (item.get(side) or {} for told in before for item in told["items"] for side in predictions.SIDES):
        if (one := row.get("judge")) and one["score"] is not None:
            found[one["key"]] = one["score"]
    return found | read(judge)


def read(judge: Judge) -> dict[str, float | None]:
    """Scores of the committed file, by key; null: a person took back what was said. Raises like `known`."""
    if judge.by is None:
        rated = ratings.read(judge.path, judge.scale)
        return {judge.rated(*place): score for place, score in rated.items()}
    return dict(_judgements(judge.path))


def added(
    judge: Judge | None, scores: Mapping[str, float | None], records: Sequence[Record], rows: Sequence[Row]
) -> list[dict[str, Any]]:
    """What a model said of records, each answer in words with `judge`: its key, and its score or null.

    Args:
        judge: who judges; None: no row has a score.
        scores: of `known`.
        records: the items.
        rows: one each, of predictions.json.

    Raises:
        GraftError: a score lies outside the scale.
    """
    made = []
    for record, row in zip(records, rows, strict=True):
        plain = {name: value for name, value in row.items() if name != "judge"}
        if judge is not None and "text" in plain:
            key = judge.key(record, plain["text"])
            plain["judge"] = {"key": key, "score": _score(judge, key, scores.get(key))}
        made.append(plain)
    return made


def coverage(rows: Sequence[Row]) -> tuple[int, int]:
    """How many answers have a score, and how many there are; of rows of `added`."""
    scores = [row["judge"]["score"] for row in rows if "judge" in row]
    return sum(score is not None for score in scores), len(scores)


def _score(judge: Judge, key: str, score: float | None) -> float | None:
    low, high = judge.scale
    if score is not None and not low <= score <= high:
        raise GraftError(f"{judge.path}: {key}: {score:g} is not a number from {low:g} to {high:g}", help=HELP)
    return None if score is None else round(score, DIGITS)


def _content(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False, sort_keys=True)


def _judgements(path: Path) -> Iterator[tuple[str, float]]:
    """Key and score of each line; of two lines with one key, as a merge may leave them, the first counts."""
    if not path.is_file():
        return
    seen: set[str] = set()
    problems = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        found = _judgement(line)
        if found is None:
            problems.append(f'line {number}: not of the form {{"key": "...", "score": 4}}')
        elif found[0] not in seen:
            seen.add(found[0])
            yield found
    if problems:
        raise GraftError(f"{path}: {problems[0]}", problems[1:], help="take these lines away, then `make judge`")


def _judgement(line: str) -> tuple[str, float] | None:
    try:
        found = json.loads(line)
        key, score = found["key"], found["score"]
    except (ValueError, KeyError, TypeError):
        return None
    good = isinstance(key, str) and isinstance(score, int | float) and not isinstance(score, bool)
    return (key, float(score)) if good and math.isfinite(score) else None
