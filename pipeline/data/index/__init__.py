"""The index of what the chain has seen.

Sorted, memory-mapped files of hashes, and sketches that find near-duplicates.
"""
