"""The parent's adapter, opened once: what it can take on, and how a continued training is held near it."""
