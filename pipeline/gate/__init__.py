"""Rules, statistics and the verdict.

Reads no file, clock or model, so that anybody can compute a verdict again.
"""
