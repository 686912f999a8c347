"""More training records from those that there are: off by default, bounded, marked, the same every time.

Only classifications are varied: their text, or the instruction above it. What a record becomes is decided by
hashes of the seed, its id and the method: no order counts, and no other random number.
"""

import itertools
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.data.augment import key_samples, noise, rare_labels, synonyms, variants
from pipeline.data.augment.settings import AugmentSettings
from pipeline.data.augment.variants import Source, Variant
from pipeline.data.records import arrow, records


@dataclass(frozen=True, kw_only=True, slots=True)
class Augmented:
    """What is added, and how often each record is drawn."""

    table: pa.Table  # of arrow.SCHEMA, sorted by id
    made_from: list[str]  # the id that each was made from
    methods: list[str]  # and how
    weights: pa.Array  # float32, one for each training record given; null: once


def augment(train: pa.Table, options: AugmentSettings, seed: int, avoid: Collection[str] = frozenset()) -> Augmented:
    """Records to add to `train`, and weights for all.

    Args:
        train: records of arrow.SCHEMA, of the training side only.
        options: what to do.
        seed: other seeds make other variants.
        avoid: ids of prompts (`records.content_id`) that must not be made: those of the evaluation side.

    Raises:
        GraftError: the dictionary or the predictions cannot be used.
    """
    found = _sources(train)
    chosen = _chosen(found, options, seed, avoid)
    counts = Counter([source.label for source in found] + [variant.source.label for _, variant in chosen])
    weights = rare_labels.weights(counts, options.weights, options.max_weight)
    by_place = {source.place: weights.get(source.label) for source in found}
    return Augmented(
        table=_table(train, chosen, weights),
        made_from=[variant.source.id for _, variant in chosen],
        methods=[variant.method for _, variant in chosen],
        weights=pa.array([by_place.get(place) for place in range(len(train))], pa.float32()),
    )


def _sources(train: pa.Table) -> list[Source]:
    picked = train.append_column("place", pa.array(range(len(train)), pa.int64()))
    two = pc.and_(pc.equal(picked["kind"], "classification"), pc.equal(pc.list_value_length(picked["messages"]), 2))
    picked = picked.filter(two).select(["id", "messages", "place"])
    found = []
    for row in picked.to_pylist():
        asked, label = row["messages"][-2]["content"], row["messages"][-1]["content"]
        instruction, _, text = asked.rpartition("\n")  # a text is one line
        found.append(Source(id=row["id"], place=row["place"], instruction=instruction, text=text, label=label))
    return sorted(found, key=lambda source: source.id)


def _chosen(
    sources: list[Source], options: AugmentSettings, seed: int, avoid: Collection[str]
) -> list[tuple[str, Variant]]:
    """Variants with their ids, as many as params allow: those of rare labels first; none stands there twice."""
    most = int(options.max_share * len(sources))
    taken = {source.id for source in sources}
    chosen: list[tuple[str, Variant]] = []
    if not most:
        return chosen
    varied = variants.varied(_keys(sources, options), _changes(options), options.paraphrases, seed)
    for variant in itertools.chain(variants.recombined(sources, options.rare_below, seed), varied):
        if len(chosen) == most:
            break
        name = records.content_id(variant.messages)
        if name not in taken and records.content_id(variant.messages[:-1]) not in avoid:
            taken.add(name)
            chosen.append((name, variant))
    return sorted(chosen, key=lambda item: item[0])


def _keys(sources: list[Source], options: AugmentSettings) -> list[Source]:
    """The sources to vary: all, or the key samples."""
    if not options.key_samples:
        return sources
    predictions = key_samples.load(Path(options.predictions)) if options.predictions else {}
    texts = {source.id: (source.text, source.label) for source in sources}
    chosen = key_samples.choose(texts, options.rare_below, predictions)
    return [source for source in sources if source.id in chosen]


def _changes(options: AugmentSettings) -> dict[str, variants.Change]:
    changes: dict[str, variants.Change] = {}
    if options.synonyms:
        dictionary = synonyms.load(Path(options.synonyms))
        changes["synonyms"] = lambda text, draws: synonyms.replace(text, dictionary, draws)
    for name, change in (("typos", noise.typos), ("dropout", noise.dropout), ("swap", noise.swap)):
        if getattr(options, name):
            changes[name] = change
    return changes


def _table(train: pa.Table, chosen: list[tuple[str, Variant]], weights: Mapping[str, float]) -> pa.Table:
    """The variants as records; where they are from they have from their sources."""
    table = train.take(pa.array([variant.source.place for _, variant in chosen], pa.int64()))
    columns = {
        "id": [name for name, _ in chosen],
        "messages": [variant.messages for _, variant in chosen],
        "weight": [weights.get(variant.source.label) for _, variant in chosen],
    }
    for name, values in columns.items():
        place = arrow.SCHEMA.get_field_index(name)
        table = table.set_column(place, arrow.SCHEMA.field(name), pa.array(values, arrow.SCHEMA.field(name).type))
    return table.cast(arrow.SCHEMA)
