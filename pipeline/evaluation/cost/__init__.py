"""What an answer costs to serve: latency, tokens per second, memory.

Timings never repeat and are no output.
"""
