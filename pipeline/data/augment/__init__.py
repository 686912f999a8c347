"""Augmentation: more training records made from those that there are.

Off by default, bounded, marked, the same every time.
"""
