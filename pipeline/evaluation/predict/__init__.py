"""What a model says of items, as it is served.

Under a key of all that it follows from; the key hashes these folders.
"""
