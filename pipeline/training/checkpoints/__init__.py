"""A killed training ends with the same bytes.

Checkpoints, their mirror, when they are written, and the fingerprint that one belongs to.
"""
