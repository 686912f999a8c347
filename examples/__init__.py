"""Sample data, the embedded base, and what writes them."""
