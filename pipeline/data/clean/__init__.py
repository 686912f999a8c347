"""Cleaning: rows -> rows, one module per step, batch by batch."""
