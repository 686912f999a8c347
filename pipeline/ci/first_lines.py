"""The beginning of a pull request's comment: the base branch's verdict and changed rules, where they differ."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from pipeline.chain.candidate import candidate
from pipeline.chain.verify import rule_changes
from pipeline.ci import fetched, verdicts
from pipeline.ci.fetched import NOT_CHECKED
from pipeline.common import files
from pipeline.common.errors import GraftError
from pipeline.report import rule_words
from pipeline.report.parts.markdown_parts import bullets, plain

VERDICT = Path("reports/verdict.json")
AFTER_EVALUATE = (None, "gate", "merge", "manifest")  # stages that may be stale while the predictions are current
SHOWN = 5  # of the base branch's reasons


def blocks(tree: candidate.Tree, stale: str | None, *, upgraded: bool) -> Iterator[str]:
    """Paragraphs of Markdown.

    Args:
        tree: where the working tree stands.
        stale: the first stage that would run, if any.
        upgraded: the tree holds a release, and only code or toolchain moved on.
    """
    base = Path(os.environ.get(verdicts.BASE) or "none")
    if base.is_dir() and (upgraded or stale in AFTER_EVALUATE):
        yield from _base_verdict(base, required=not upgraded)
    yield from _changes(tree, stale)


def _base_verdict(base: Path, *, required: bool) -> Iterator[str]:
    """What the base branch's gate decides of the same predictions, where that is another verdict than this tree's.

    Args:
        base: a folder with the base branch checked out.
        required: say so where nobody can tell; not of a tree that holds a release and only newer code.
    """
    try:
        predictions = fetched.output("reports/predictions.json")
    except GraftError as error:
        if required:
            yield f"The base branch's verdict: {NOT_CHECKED}: {plain(error.message)}"
        return
    theirs, ours = (verdicts.tree_verdict(tree, predictions) for tree in (base, Path()))
    if not required and (theirs.error or ours.error):
        return
    if theirs.error:
        yield f"{NOT_CHECKED}: the base's gate cannot read this pull request's predictions: {plain(theirs.error)}"
    elif ours.error:
        yield f"{NOT_CHECKED}: this branch's gate cannot read its own predictions: {plain(ours.error)}"
    elif theirs.word != ours.word:
        notice = f"The base branch's gate and rules say {theirs.word}, this branch's say {ours.word}"
        if os.environ.get("GITHUB_ACTIONS") == "true":
            print(f"::notice title=Two verdicts::{notice}", file=sys.stderr)  # of our own words alone
        yield f"⚠️ **{notice}.**"
        yield bullets(f"base branch: {plain(reason)}" for reason in theirs.reasons[:SHOWN])


def _changes(tree: candidate.Tree, stale: str | None) -> Iterator[str]:
    """What differs from what the parent was judged by, or, of a tree that holds a release, from that release."""
    if tree.held or stale:
        release = tree.held.tag if tree.held else tree.lock.parent.release if tree.lock.parent else None
        changes = rule_changes.unjudged(release)
    else:
        changes = rule_changes.judged()
    if title := rule_words.title(changes, files.read_json(VERDICT) if VERDICT.is_file() else {}):
        yield f"**{plain(title)}**"
        yield bullets(map(plain, rule_words.lines(changes)))
