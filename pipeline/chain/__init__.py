"""Git, DVC, releases: everything about more than one commit."""
