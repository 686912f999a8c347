"""`make judge`: scores for the answers of predictions.json that have none yet, by a model, or by people.

A model is asked now, and what it says goes to metrics/judgements.jsonl. For people the answers are listed in
reports/unrated.csv, and what they filled in there goes to their ratings. Both files are for git; `dvc repro` then
counts the scores. No stage calls this.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.common import errors, files
from pipeline.common.errors import GraftError
from pipeline.data.records import arrow
from pipeline.data.records.records import Record
from pipeline.evaluation import compared_models, predictions
from pipeline.evaluation.llm_judge import endpoint, judged, ratings
from pipeline.settings import effective

PREDICTIONS = Path("reports/predictions.json")
SLICES = Path("data/assembled/slices")
UNRATED = Path("reports/unrated.csv")
LISTED = 1000  # answers in the list, at most
SPARE = 20_000  # judgements that no present model needs, the newest; the older ones are dropped
TOLD = 25  # rounds of questions between two lines on how far it is
IN_VAIN = 10  # answers in a row without a number: the prompt is wrong, and the rest would cost for nothing


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What some model said of an item."""

    record: Record
    text: str


def answers(told: Mapping[str, Any], records: Mapping[str, Record], judge: judged.Judge) -> dict[str, Answer]:
    """Every answer in words by its key, the candidate's first; what several models say alike stands once."""
    found: dict[str, Answer] = {}
    for side in predictions.SIDES:
        for item in told["items"]:
            row, record = item.get(side) or {}, records.get(item["id"])
            if record is not None and "text" in row:
                found.setdefault(judge.key(record, row["text"]), Answer(record=record, text=row["text"]))
    return found


def ask(asked: endpoint.Asked, judge: judged.Judge, todo: Mapping[str, Answer], parallel: int) -> list[str]:
    """Ask a model for each score; every few of them are written at once, so that none is paid for twice.

    Args:
        asked: where and how.
        judge: who judges.
        todo: answers by key.
        parallel: questions asked at a time.

    Returns:
        Lines on answers without a score.

    Raises:
        GraftError: the judge cannot be asked, or says no number time and again.
    """
    unsaid: list[str] = []
    vain = 0
    with endpoint.client(asked) as http, ThreadPoolExecutor(parallel) as pool:

        def one(answer: Answer) -> tuple[float | None, str | None]:
            said = endpoint.ask(http, asked, judge.prompt(answer.record, answer.text))
            return endpoint.number(said, judge.scale), said

        for done, part in enumerate(_parts(list(todo), parallel)):
            if done and done % TOLD == 0:
                print(f"judge: {done * parallel} of {len(todo)} asked", flush=True)
            waiting = [(key, pool.submit(one, todo[key])) for key in part]
            failed: GraftError | None = None
            scores: dict[str, float] = {}
            for key, result in waiting:
                try:
                    score, said = result.result()
                except GraftError as error:
                    failed = failed or error
                    continue
                if score is not None:
                    scores[key], vain = score, 0
                    continue
                vain += 1
                unsaid.append(f"item {todo[key].record.id[:12]}: {_shown(said, asked)}")
            if scores:
                keep(judge.path, scores)
            if failed:
                raise failed
            if vain >= IN_VAIN:
                raise _unsaid(unsaid, asked, f"{vain} answers in a row got no number; asked no further")
    return unsaid


def keep(path: Path, scores: Mapping[str, float]) -> None:
    """Append judgements to a file, in one step."""
    before = path.read_text(encoding="utf-8") if path.is_file() else ""
    files.write_text(path, before + "".join(f"{_line(key, score)}\n" for key, score in scores.items()))


def pruned(scores: Mapping[str, float | None], needed: Sequence[str]) -> str:
    """A file of judgements without those that nobody needs, but the newest: it must not grow with the chain."""
    kept = set(needed)
    spare = [key for key in scores if key not in kept]
    dropped = set(spare[: max(0, len(spare) - SPARE)])
    return "".join(
        f"{_line(key, score)}\n" for key, score in scores.items() if score is not None and key not in dropped
    )


def listed(judge: judged.Judge, found: Mapping[str, Answer], before: Sequence[Mapping[str, Any]] = ()) -> str:
    """People's part: takes what they filled in, and lists what is left; returns what to tell them.

    Args:
        judge: people.
        found: answers by key.
        before: predictions of earlier releases, whose answers were rated then.

    Raises:
        GraftError: what they filled in, or the ratings that there are, is no good; nothing was written.
    """
    new = ratings.taken(judge.path, UNRATED, judge.scale)
    scores = judged.known(judge, before)
    rows = [
        ratings.Unrated(
            id=one.record.id,
            hash=ratings.hashed(one.text),
            question=judged.question(one.record),
            reference=one.record.answer,
            answer=one.text,
        )
        for key, one in found.items()
        if scores.get(key) is None
    ]
    files.write_text(UNRATED, ratings.listed(rows, LISTED))
    if not rows:
        return f"{new} new ratings in {judge.path}; all {len(found)} answers are rated: `git add metrics`, `dvc repro`"
    more = f", {LISTED} of them" if len(rows) > LISTED else ""
    return (
        f"{new} new ratings in {judge.path}; {len(found) - len(rows)} of {len(found)} answers are rated; "
        f"{UNRATED} lists the others{more}: fill in the column score, then `make judge` again"
    )


def main() -> None:
    """Judge what predictions.json holds, as params.yaml says."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.evaluation.llm_judge.judge", description=__doc__)
    parser.add_argument("--parallel", type=int, default=4, help="questions that a model is asked at a time")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds for a whole answer")
    parser.add_argument("--attempts", type=int, default=4, help="at most, for one answer")
    options = parser.parse_args()
    asked = effective.load()["evaluate"]["judge"]
    judge = judged.load(asked)
    if judge is None:
        raise GraftError("params.yaml: $.evaluate.judge: null: nobody is asked to judge", help=judged.HELP)
    judged.read(judge)  # before all else: bad scores stop stage evaluate, too, and then there are no predictions
    if not PREDICTIONS.is_file():
        raise GraftError(f"{PREDICTIONS} is not there", help="dvc repro evaluate, then again")
    told = predictions.read(PREDICTIONS)
    records = {one.id: one for path in sorted(SLICES.glob("*.arrow")) for one in arrow.read_records(path)}
    found, before = answers(told, records, judge), [one.predictions for one in compared_models.released()]
    if not found:
        raise GraftError(
            f"{PREDICTIONS} holds no generated answer, so there is nothing to judge",
            help="answers are generated to sft items, where evaluate.max_new_tokens is above 0",
        )
    if judge.by is None:
        print(f"judge: {listed(judge, found, before)}", flush=True)
        return
    key = endpoint.key(asked["key_from"])
    scores = judged.known(judge, before)
    todo = {key: one for key, one in found.items() if scores.get(key) is None}
    print(f"judge: {len(found) - len(todo)} of {len(found)} answers have a score; {len(todo)} to ask", flush=True)
    where = endpoint.Asked(
        url=asked["url"],
        model=asked["model"],
        max_tokens=asked["max_tokens"],
        key=key,
        timeout=options.timeout,
        attempts=max(1, options.attempts),
    )
    unsaid = ask(where, judge, todo, max(1, options.parallel)) if todo else []
    if judge.path.is_file():
        files.write_text(judge.path, pruned(judged.read(judge), list(found)))
    if unsaid:
        raise _unsaid(unsaid, where, f"{len(unsaid)} of {len(todo)} answers got no number, and count as not judged")
    print(f"judge: {judge.path} is complete: commit it, then `dvc repro`", flush=True)


def _parts(found: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(found), size):
        yield found[start : start + size]


def _line(key: str, score: float) -> str:
    return json.dumps({"key": key, "score": score}, sort_keys=True)


def _shown(said: str | None, asked: endpoint.Asked) -> str:
    if said is None:
        return f"no answer, or longer than max_tokens, {asked.max_tokens}"
    shown = said if asked.key is None else said.replace(asked.key, "***")
    return f"the judge ended with {shown.strip().rpartition(chr(10))[2][:80]!r}"


def _unsaid(lines: Sequence[str], asked: endpoint.Asked, what: str) -> GraftError:
    more = [f"and {len(lines) - IN_VAIN} more"] if len(lines) > IN_VAIN else []
    return GraftError(
        f"the judge {asked.model}: {what}",
        [*lines[:IN_VAIN], *more],
        help="the last line of its answer must be the score alone: see the prompt and max_tokens of evaluate.judge",
    )


if __name__ == "__main__":
    errors.run(main)
