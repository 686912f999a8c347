"""The gate: from predictions of candidate, parent and anchor to a verdict."""
