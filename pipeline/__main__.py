"""`python -m pipeline` is `graft`."""

from pipeline.cli import main

main(prog_name="graft")
