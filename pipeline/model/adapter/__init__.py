"""What a saved adapter says of itself, and which settings can be asked of one.

Loads no torch.
"""
