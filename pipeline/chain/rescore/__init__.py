"""`graft verify --rescore`: items are scored again with the published weights.

What they give is compared with predictions.json, item by item.
"""
