"""`graft release`: what must hold, the tag, its signature, limits on what serving costs."""
