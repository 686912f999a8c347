"""Evaluation: items of every slice -> what candidate and parent say of them."""
