"""Contradicting labels: the same text with two labels, and who is believed."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.common.errors import GraftError
from pipeline.common.words import counted
from pipeline.data.reading import text_encoding

REVIEW = Path("data/review.csv")  # people's answers: kept in git, shipped with a header alone
POLICIES = ("drop", "keep_newest", "majority", "fail", "review")
SECOND = "answer_2"  # the column of a second person
_COLUMNS = ["text", "labels", "label"]
_SHOWN = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """One label for a text."""

    row: int | None  # of the increment's rows; None: history says so
    label: str
    rows: int  # that say so
    date: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Conflict:
    """A text and the labels that are claimed for it, all different."""

    text: str
    claims: tuple[Claim, ...]

    def shown(self, kept: str | None) -> dict[str, object]:
        """As a report holds it."""
        return {"text": self.text, "labels": {claim.label: claim.rows for claim in self.claims}, "kept": kept}


@dataclass(frozen=True, kw_only=True, slots=True)
class Review:
    """What people answered in data/review.csv."""

    given: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # text -> answers, some of them empty
    double: bool = False  # whether there is room for two

    @property
    def answers(self) -> dict[str, str]:
        """Text -> label, where all who answered agree."""
        said = {text: set(filter(None, given)) for text, given in self.given.items()}
        return {text: next(iter(labels)) for text, labels in said.items() if len(labels) == 1}

    def agreement(self) -> str | None:
        """How far two people agree, in words; None where nobody answered twice."""
        twice = [given for given in self.given.values() if all(given) and len(given) == 2]
        if not twice:
            return None
        alike = sum(first == second for first, second in twice) / len(twice)
        firsts, seconds = (Counter(given[place] for given in twice) for place in (0, 1))
        chance = sum(firsts[label] * seconds[label] for label in firsts) / len(twice) ** 2
        kappa = "" if chance == 1 else f", Cohen's kappa {(alike - chance) / (1 - chance):.2f}"
        return f"{counted(len(twice), 'text')} answered twice, {alike:.0%} alike{kappa}"


def between(
    rows: Sequence[int], told: Mapping[int, tuple[str, str]], counts: Sequence[int], dates: Sequence[str | None]
) -> Conflict:
    """The conflict between rows that ask the same.

    Args:
        rows: one of each content.
        told: text and label of each.
        counts: how many rows say the same as each.
        dates: of each.
    """
    claims = [Claim(row=row, label=told[row][1], rows=int(counts[row]), date=dates[row]) for row in rows]
    return Conflict(text=told[rows[0]][0], claims=tuple(claims))


def settle(conflict: Conflict, policy: str, answers: Mapping[str, str]) -> Claim | None:
    """The claim that is believed; None: nobody is, and every row of the increment is dropped.

    drop: none. majority: the label of most rows. keep_newest: the newest date's; without dates the increment's
    against history. review: what a person answered. A tie is nobody's. `fail` is for `refuse`.
    """
    claims = conflict.claims
    if policy == "majority":
        return _only(claims, [claim.rows for claim in claims])
    if policy == "keep_newest":
        if all(claim.date for claim in claims):
            return _only(claims, [str(claim.date) for claim in claims])
        return _only(claims, [claim.row is not None for claim in claims])
    if policy == "review":
        answer = answers.get(conflict.text)
        return next((claim for claim in claims if claim.label == answer), None)
    return None


def refuse(conflicts: Sequence[Conflict], policy: str, where: str) -> None:
    """Stop for conflicts where the policy is `fail`.

    Raises:
        GraftError: names the first texts and their labels.
    """
    if policy != "fail" or not conflicts:
        return
    lines = [f"{found.text[:80]!r}: {_labels(found)}" for found in conflicts[:_SHOWN]]
    if len(conflicts) > _SHOWN:
        lines.append(f"and {len(conflicts) - _SHOWN} more")
    raise GraftError(
        f"{where}: {len(conflicts)} texts with contradicting labels",
        lines,
        help="correct the files, or choose another prepare.conflicts: drop, keep_newest, majority, review",
    )


def read_review(path: Path = REVIEW) -> Review:
    """What people answered; rows without an answer say nothing.

    With a column `answer_2`, two people answer: where they disagree, the text stays open. A spreadsheet may have saved
    the file: semicolons or tabs will do, and UTF-16 or GB18030.

    Raises:
        GraftError: the file has other columns, or two answers for one text.
    """
    if not path.is_file() or not path.read_bytes().strip():
        return Review()
    text = path.read_bytes().decode(text_encoding.detect(path), "replace").removeprefix("\ufeff")
    delimiter = next((mark for mark in ",;\t" if text.startswith(mark.join(_COLUMNS))), ",")
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    if rows[0] not in (_COLUMNS, [*_COLUMNS, SECOND]):
        raise GraftError(
            f"{path}: line 1: the columns are {', '.join(_COLUMNS)}, and {SECOND} where two people answer",
            help="put this line first again",
        )
    given: dict[str, tuple[str, ...]] = {}
    problems: list[str] = []
    for number, row in enumerate(rows[1:], 2):
        said = tuple(" ".join(cell.split()) for cell in row[2 : len(rows[0])])
        if any(said) and given.setdefault(row[0], said) != said:
            problems.append(f"row {number}: another answer for {row[0]!r} stands above")
    if problems:
        raise GraftError(f"{path}: {problems[0]}", problems[1:], help="correct the answers, or take the row away")
    return Review(given=given, double=SECOND in rows[0])


def check_answers(conflicts: Iterable[Conflict], answers: Mapping[str, str]) -> None:
    """Refuse answers that choose none of the labels in question.

    Raises:
        GraftError: names every such text.
    """
    problems = [
        f"{found.text[:80]!r}: {answers[found.text]!r} is none of the labels in question: {_labels(found)}"
        for found in conflicts
        if found.text in answers and answers[found.text] not in {claim.label for claim in found.claims}
    ]
    if problems:
        raise GraftError(f"{REVIEW}: {problems[0]}", problems[1:], help="correct the answers, or take the row away")


def count(questions: str) -> int:
    """How many questions a review file asks."""
    return sum(1 for _ in csv.reader(io.StringIO(questions, newline=""))) - 1


def questions(conflicts: Iterable[Conflict], review: Review | None = None) -> str:
    """The file that people answer: one row a text, the columns `label` and `answer_2` are theirs.

    Args:
        conflicts: that are open.
        review: what was answered: two who disagree see both answers; None: nothing.
    """
    review = review or Review()
    empty = ("", "") if review.double else ("",)
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow([*_COLUMNS, SECOND] if review.double else _COLUMNS)
    for found in sorted(conflicts, key=lambda found: found.text):
        labels = " | ".join(sorted(claim.label for claim in found.claims))
        writer.writerow([found.text, labels, *review.given.get(found.text, empty)])
    return sink.getvalue()


def _only(claims: Sequence[Claim], weights: Sequence[str] | Sequence[int] | Sequence[bool]) -> Claim | None:
    """The claim of the highest weight, if it is one alone."""
    highest = max(weights)
    best = [claim for claim, weight in zip(claims, weights, strict=True) if weight == highest]
    return best[0] if len(best) == 1 else None


def _labels(conflict: Conflict) -> str:
    return ", ".join(f"{claim.label} ({claim.rows})" for claim in conflict.claims)
