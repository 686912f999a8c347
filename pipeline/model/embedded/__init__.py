"""`make base`: the tiny model of examples/base, built from text.

A clone then needs no hub. No stage imports it.
"""
