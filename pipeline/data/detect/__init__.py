"""How to read a file that a user hands in to `graft add`.

Format, encoding, delimiter, columns, content. No stage guesses: what is detected is written to increment.yaml.
"""
