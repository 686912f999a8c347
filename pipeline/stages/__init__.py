"""One module per stage of dvc.yaml; stages meet only through the files named there."""
