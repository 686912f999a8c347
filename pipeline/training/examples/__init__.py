"""Records become examples.

Conversations by the chat template, truncation by policy, documents in windows, tokens kept by content.
"""
