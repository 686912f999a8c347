"""From bytes on disk to the values of each row, whatever the format.

increment.yaml says how each file is read; memory stays bounded.
"""
