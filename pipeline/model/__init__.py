"""Base, adapter, weights, scoring: what a model is."""

from logging import ERROR, getLogger

# PEFT imports it where it is installed, and it then warns of kernels that it could fetch from a hub.
getLogger("bitsandbytes").setLevel(ERROR)
