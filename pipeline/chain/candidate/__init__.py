"""The open candidate: how it is opened, what is stale in it and why, merges, and taking back what failed."""
