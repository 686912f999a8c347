"""The training itself, from records to a saved adapter.

The order of its parts (engine), the loop, batches, learning rates, validation, the learning-rate test.
"""
