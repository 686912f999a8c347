"""Classification by likelihood: which of all labels does the model find most likely? Prefixes are computed once."""
