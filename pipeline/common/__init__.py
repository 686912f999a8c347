"""What every package stands on.

Errors for users, files that a kill never leaves half-written, JSON and YAML with the line of every fault, JSON
Schema in words, effective settings, timings. Every stage depends on this folder, so a line here runs all of them
again: keep it small.
"""
