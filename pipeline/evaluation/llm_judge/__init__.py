"""Scores of answers in words, by people or by a model.

`make judge` asks an endpoint; the stage looks scores up and never goes to the network.
"""
