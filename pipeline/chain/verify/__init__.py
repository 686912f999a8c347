"""Whether a commit is what it says: every hash, and the verdict computed again by the checked-out code."""
