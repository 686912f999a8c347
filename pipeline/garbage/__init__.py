"""`graft gc`: what is deleted, and what stays because some ref, worktree or ancestor needs it."""
