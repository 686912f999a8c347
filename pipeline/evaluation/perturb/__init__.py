"""Badly written variants of evaluation items: typos, case, noise."""
