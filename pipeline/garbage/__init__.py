"""What `graft gc` deletes and what stays: roots, ancestors, history, and what cache and remote hold."""
