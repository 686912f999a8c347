"""The model: base, adapter, training, scoring."""
