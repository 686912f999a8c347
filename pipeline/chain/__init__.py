"""The chain: git, DVC, models.lock, releases, candidates."""
