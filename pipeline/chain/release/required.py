"""How much of a candidate is checked before it becomes a release: `release.require` of params.yaml.

recomputed: metrics, verdict and report, from the predictions. Needs no model, no CI and no key.
rescored: the predictions, too, by the weights that are published.
rebuilt: the weights, too, trained again from the parent's state and the data.
"""

from functools import partial

from pipeline.chain.commits import git
from pipeline.chain.history.releases import Release
from pipeline.chain.rebuild import rebuild
from pipeline.chain.rescore import rescore
from pipeline.chain.verify.manifest_check import Commit
from pipeline.common import documents, yaml
from pipeline.common.errors import GraftError
from pipeline.settings import effective

LEVELS = ("recomputed", "rescored", "rebuilt")  # each includes those before it
DEFAULT = LEVELS[0]
WITHIN = 1e-4  # as `graft verify --rebuild`


def level(parent: Release | None) -> str:
    """The stricter of what params.yaml requires here and at the parent: a lowering takes effect one release later.

    Raises:
        GraftError: the parent requires something that this Graft does not know.
    """
    here = str(effective.load()["release"]["require"])
    before = DEFAULT if parent is None else _of(parent)
    return max(here, before, key=LEVELS.index)


def check(commit: Commit, wanted: str) -> list[str]:
    """Check HEAD beyond the recomputed verdict, up to a level; returns what was done, in words.

    Raises:
        GraftError: the predictions or the weights are not what the recorded ones are.
    """
    if wanted == DEFAULT:
        return []
    lines = []
    if wanted == "rebuilt":
        rebuilt = rebuild.compare("HEAD", commit, WITHIN)
        if rebuilt.different:
            raise GraftError("not released: trained again, it is different", rebuilt.lines(), help=rebuilt.advice())
        lines.append(f"trained again: {rebuilt.words()}")
        if rebuilt.identical:  # its predictions are the recorded ones, too
            return lines
    rescored = rescore.rescore(commit, "HEAD")
    if rescored.different:
        problems = [*rescored.shown(), *rescored.lines()]
        raise GraftError(f"not released: scored again: {rescored.words()}", problems, help=rescored.advice())
    return [*lines, f"scored again: {rescored.words()}"]


def _of(release: Release) -> str:
    """The stricter of what a release's params.yaml states and what its stage `settings` recorded."""
    stated = yaml.parse(git.show(release.commit, effective.PATH.as_posix()) or b"", f"{release.tag}:{effective.PATH}")
    recorded = effective.of_commit(partial(git.show, release.commit), release.tag)
    values = [recorded["release"]["require"], documents.at(stated, "release", "require") or DEFAULT]
    for value in values:
        if value not in LEVELS:
            raise GraftError(
                f"{release.tag}:{effective.PATH}: $.release.require: {value!r} is none of {', '.join(LEVELS)}",
                help="a newer Graft may know it: release with that one",
            )
    return str(max(values, key=LEVELS.index))
