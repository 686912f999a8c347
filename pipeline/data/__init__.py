"""From raw files to records, and what the chain has seen of them."""
