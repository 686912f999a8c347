"""A release's own files in a scratch folder, and the params that it was evaluated with."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.chain.commits import git, outputs
from pipeline.chain.store.objects import Store
from pipeline.chain.verify.manifest_check import Commit
from pipeline.common import files
from pipeline.common.errors import GraftError
from pipeline.settings import effective

SHIPPED = ("pipeline/model/chat", "pipeline/model/templates")  # now, and in releases of an older Graft
LEFT_OUT = {"custom": "metrics of your own", "judge": "the judge's scores", "lm_eval": "standard benchmarks"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoringSettings:
    """The params of one commit that its predictions follow from."""

    normalize: Any
    max_new_tokens: int
    batch_size: int
    slice_by: Sequence[str]
    max_items: int | None
    robustness: Mapping[str, Any] | None
    max_length: int  # tokens
    threads: int
    template: str | None  # Jinja text; None: the base's own
    dtype: str
    max_logit_error: float
    left_out: Sequence[str]  # parts of predictions.json that no model says


def settings(revision: str | None) -> ScoringSettings:
    """The settings of a revision; of the working tree for None.

    Raises:
        GraftError: its params.yaml is absent, is not YAML, or has a value that this Graft does not know.
    """
    everything = effective.load() if revision is None else effective.of_commit(partial(text, revision), revision)
    try:
        evaluate, train, merge = (everything[section] for section in ("evaluate", "train", "merge"))
        return ScoringSettings(
            **{key: evaluate[key] for key in ("normalize", "max_new_tokens", "batch_size", "slice_by", "max_items")},
            robustness=evaluate["robustness"],
            max_length=int(train["max_length"]),
            threads=int(train["threads"]),
            template=_template(revision, train["chat_template"]),
            dtype=str(merge["dtype"]),
            max_logit_error=float(merge["max_logit_error"]),
            left_out=[words for key, words in LEFT_OUT.items() if evaluate[key]],
        )
    except (TypeError, ValueError) as error:
        where = f"{revision or 'the working tree'}: {effective.PATH}"
        raise GraftError(f"{where}: {error}", help="use the Graft that its own commit holds") from None


def max_logit_error(revisions: Iterable[str | None]) -> float:
    """The strictest `merge.max_logit_error` of several revisions; those that cannot be read here do not count."""
    return min(
        settings(revision).max_logit_error
        for revision in revisions
        if text(revision, effective.PATH.as_posix()) is not None
    )


def check_out(commit: Commit, md5s: Mapping[str, str], store: Store, folder: Path) -> None:
    """Lay outputs into a scratch folder, below their own paths.

    Args:
        commit: whose manifest lists their files.
        md5s: path of each output -> DVC's hash.
        store: the repository's objects; those that the cache lacks are fetched.
        folder: the scratch folder.

    Raises:
        GraftError: an object is in neither place, or a file is not what the manifest says.
    """
    store.fetch(md5s.values())
    problems = []
    for path, md5 in md5s.items():
        store.check_out(md5, folder / path)
        expected = {name: digest["sha256"] for name, digest in commit.manifest.items() if outputs.below(name, [path])}
        found = {file.relative_to(folder).as_posix(): files.sha256(file) for file in files.files_below(folder / path)}
        names = sorted(expected.keys() | found.keys())
        problems += [f"{name}: not as the manifest says" for name in names if expected.get(name) != found.get(name)]
    if problems:
        raise GraftError("the release's files are not what its manifest lists", problems, help="graft verify REV")


def text(revision: str | None, path: str) -> bytes | None:
    """A file at a revision, of the working tree for None; None where there is none."""
    if revision is None:
        return Path(path).read_bytes() if Path(path).is_file() else None
    return git.show(revision, path)


def _template(revision: str | None, name: str | None) -> str | None:
    if name is None:
        return None
    for path in (*(f"{folder}/{name}.jinja" for folder in SHIPPED), name):
        if content := text(revision, path):
            return content.decode()
    raise ValueError(f"no template {name}")
