"""The releases of this clone: annotated tags, their sizes, and which are kept without derived outputs."""
