"""Two releases side by side, and one record through all of them: `graft diff`."""
