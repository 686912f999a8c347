"""The training side with what augmentation adds: weights, variants near nothing that is evaluated, their lineage."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline.data.assemble import lineage
from pipeline.data.assemble.slices import united
from pipeline.data.augment import augment
from pipeline.data.augment.settings import AugmentSettings
from pipeline.data.index import common_pieces, near, sketch
from pipeline.data.records import message_columns


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingRecords:
    """What is trained on of an increment."""

    learned: pa.Table  # its records, with weights where they are asked for
    added: pa.Table  # variants of them
    lineage: pa.Table  # of the variants


def training(
    learned: pa.Table, evaluated: pa.Table, options: AugmentSettings, seed: int, similarity: float
) -> TrainingRecords:
    """Records of the training side and their variants.

    Args:
        learned: the increment's records to train on.
        evaluated: every item of every slice: no variant is one of them, or near one.
        options: see there.
        seed: other seeds make other variants.
        similarity: from which on texts are near-duplicates.

    Raises:
        GraftError: a dictionary or predictions cannot be used.
    """
    if not options.max_share and options.weights == "none":
        empty = learned.slice(0, 0)
        return TrainingRecords(learned=learned, added=empty, lineage=lineage.rows(empty, "augmented"))
    avoid = set(message_columns.hexes(message_columns.digests(evaluated)[0]).to_pylist())
    made = augment.augment(learned, options, seed, avoid)
    apart = pa.array(_apart(made.table, evaluated, similarity), pa.bool_())
    added = made.table.filter(apart)
    return TrainingRecords(
        learned=learned.set_column(learned.column_names.index("weight"), "weight", made.weights),
        added=added,
        lineage=lineage.rows(added, "augmented", _column(made.methods, apart), _column(made.made_from, apart)),
    )


def _apart(made: pa.Table, evaluated: pa.Table, similarity: float) -> Sequence[bool]:
    """Whether each variant is near nothing that is evaluated."""
    forms = sketch.normal_forms(message_columns.view(united([made, evaluated])).bodies)
    common = common_pieces.find(forms.to_pylist())
    left = common_pieces.without(forms, common)
    new = np.arange(len(forms)) < made.num_rows
    pairs_2M = near.pairs(
        common_pieces.sketched(forms, common),
        lambda some: left.take(pa.array(some)).to_pylist(),
        similarity,
        of=new,
        hang_together=True,
    )
    crossing = new[pairs_2M[0]] & ~new[pairs_2M[1]]
    apart = np.ones(made.num_rows, bool)
    apart[pairs_2M[0][crossing]] = False
    flags: list[bool] = apart.tolist()
    return flags


def _column(values: list[str], which: pa.Array) -> pa.Array:
    return pa.array(values, pa.string()).filter(which)
