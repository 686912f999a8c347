"""Which side a record stands on: near-duplicates together, each label its share, for ever."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.data.records.message_columns import Digests

Flags = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]

# Shape legend: N = records.


def any_of_cluster(flags_N: Flags, cluster_N: Places) -> Flags:
    """Whether anyone of each record's cluster is marked."""
    found = np.zeros(len(flags_N), bool)
    np.logical_or.at(found, cluster_N, flags_N)
    return found[cluster_N]


def held_out(cluster_N: Places, strata: Sequence[str | None], prompts_N4: Digests, share: float, among: Flags) -> Flags:
    """Clusters whose records are held out: about `share` of the records, and of each stratum's.

    Clusters are walked label by label, in the order of their prompts' hashes; one is taken whenever that brings
    the number held out nearer to the share of all that were passed. Neither files nor rows' order counts.

    Args:
        cluster_N: number of each record's cluster: its lowest record's place.
        strata: label of each record, or its kind.
        prompts_N4: SHA-256 of each prompt.
        share: 0 to 1.
        among: records to divide; whole clusters.
    """
    sizes_N = np.bincount(cluster_N[among], minlength=len(cluster_N))
    heads = np.flatnonzero(sizes_N)
    _, stratum_N = np.unique([name or "" for name in strata], return_inverse=True)
    ranked = heads[np.lexsort((*prompts_N4[heads].T[::-1], stratum_N[heads]))]
    taken, passed, held = np.zeros(len(cluster_N), bool), 0, 0
    for head, size in zip(ranked.tolist(), sizes_N[ranked].tolist(), strict=True):
        passed += size
        if passed * share - held >= size / 2:
            taken[head] = True
            held += size
    return taken[cluster_N] & among
