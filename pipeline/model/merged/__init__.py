"""What the stage `merge` publishes: merged weights in shards that releases share, and the model card."""
