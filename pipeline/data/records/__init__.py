"""The record: one training example in canonical form, named by the hash of its content.

With its Arrow and JSON forms, the columns that are read out of its messages, and what people say of golden items
beside text and answer.
"""
