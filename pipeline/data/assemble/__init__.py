"""The stage `assemble`: what becomes of each record against the chain.

Fates, the split by content hash, evaluation slices, the replay reservoir, golden items, lineage.
"""
