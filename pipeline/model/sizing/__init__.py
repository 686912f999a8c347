"""Memory and time of a training, from a model's config.json alone: `graft plan --gpu`.

No stage imports it.
"""
