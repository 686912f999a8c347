"""Augmentation: more training records made from those that there are."""
