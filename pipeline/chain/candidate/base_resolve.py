"""What a base that params.yaml asks for is made of, for `graft lock`: its commit and each file's hash."""

import json
from collections.abc import Callable, Collection
from pathlib import Path

from pipeline.chain.lock.lockfile import Resolved
from pipeline.common import files
from pipeline.common.errors import GraftError
from pipeline.model.base import base_files, hub

_SINGLE, _INDEX = base_files.WEIGHTS
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_TOKENIZERS = ("tokenizer.json", "vocab.json", "vocab.txt")  # or sentencepiece's *.model


def resolve(source: str, revision: str | None) -> Resolved:
    """Pin a base; a hub's files are downloaded into its cache, for only their content gives the hash.

    Args:
        source: builtin, path:DIR or hf:ORG/NAME.
        revision: hf: branch, tag or commit, None for the default branch; otherwise None.

    Raises:
        GraftError: it cannot be reached, or is no causal LM in safetensors.
    """
    if source.startswith("hf:"):
        return _from_hub(source, revision)
    if revision is not None:
        raise GraftError(
            f"params.yaml: $.base.revision: {source} has no revisions",
            help="set base.revision to null; models.lock pins the files by hash",
        )
    folder = base_files.local_folder(source)
    if not folder.is_dir():
        hint = "make base" if source == "builtin" else "path:DIR is relative to the repository, or absolute"
        raise GraftError(f"params.yaml: $.base.source: {folder}: no such folder", help=hint)
    present = [path.name for path in folder.iterdir() if path.is_file()]
    chosen = choose(str(folder), present, lambda: folder / _INDEX)
    base_files.refuse_links(folder, chosen)
    return Resolved(revision=None, sha256={name: files.sha256(folder / name) for name in chosen})


def choose(where: str, present: Collection[str], index: Callable[[], Path]) -> list[str]:
    """The files that a causal LM is loaded from: weights, config, tokenizer, chat template.

    Args:
        where: what the files belong to, for messages.
        present: every file's name.
        index: brings the index of sharded weights here; called only if it is needed.

    Raises:
        GraftError: what is there cannot be loaded, or only with pickle.
    """
    weights = [_SINGLE] if _SINGLE in present else [_INDEX, *_shards(index())] if _INDEX in present else []
    beside = [name for name in base_files.loaded(present) if name not in (*base_files.WEIGHTS, "adapter_config.json")]
    problems = [f"{name}: the index names it, and it is missing" for name in weights if name not in present]
    if not weights:
        problems.append(f"neither {_SINGLE} nor {_INDEX}" + _pickled(present))
    if "config.json" not in beside:
        problems.append("no config.json")
    if not any(name in _TOKENIZERS or name.endswith(".model") for name in beside):
        problems.append("no tokenizer (tokenizer.json, vocab.json, vocab.txt or *.model)")
    if "adapter_config.json" in present:
        problems.append("adapter_config.json: an adapter beside a base would be loaded with it")
    if problems:
        raise GraftError(
            f"{where}: not a model that Graft can train on",
            problems,
            help="save it with transformers' save_pretrained, model and tokenizer, and use that folder as path:DIR",
        )
    return sorted({*weights, *beside})


def _from_hub(source: str, revision: str | None) -> Resolved:
    repo = source.removeprefix("hf:")
    there = hub.listing(repo, revision)
    index = {_INDEX: there.digests.get(_INDEX, "")}
    chosen = choose(source, there.digests, lambda: hub.fetch(repo, there.commit, index) / _INDEX)
    digests = {name: there.digests[name] for name in chosen}
    folder = hub.fetch(repo, there.commit, digests)
    sha256 = {name: digest if len(digest) == 64 else files.sha256(folder / name) for name, digest in digests.items()}
    return Resolved(revision=there.commit, sha256=sha256)


def _shards(index: Path) -> list[str]:
    try:
        return sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise GraftError(f"{_INDEX}: no weight_map in it", help="save the model anew, with save_pretrained") from None


def _pickled(present: Collection[str]) -> str:
    pickles = sorted(name for name in present if name.endswith(_PICKLES))
    return f"; {', '.join(pickles)}: a pickle runs code when it is read, and is never loaded" if pickles else ""
