"""What the workflows do beyond `graft`, `dvc` and `gh`; a laptop does it alike: `python -m pipeline.ci.NAME`."""
