"""Weights made again: a release trained from its stored parent, or its derived outputs from its adapter."""
