"""Base and adapter as a model in memory: to train, to score, to publish.

With quantised bases, decoder layers and the machine class.
"""
