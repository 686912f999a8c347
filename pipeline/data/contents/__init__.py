"""From the values of a row to its messages, whatever the layout.

Tables, alpaca, sharegpt, OpenAI messages, preferences, plain text.
"""
