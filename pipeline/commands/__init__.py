"""One module per `graft` command; nothing imports them but pipeline/cli.py."""
