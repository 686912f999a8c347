"""One module per `graft` command, and what several of them share.

Nothing imports these but pipeline/cli.py.
"""
