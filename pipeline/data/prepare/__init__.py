"""The stage `prepare`: rows of all files become records sorted by id, or rejects with a reason.

Repeats, near-duplicates and contradictions inside the increment are settled.
"""
