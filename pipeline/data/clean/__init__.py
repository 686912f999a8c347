"""Cleaning: rows become rows, one module per step, batch by batch, without state."""
