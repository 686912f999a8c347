"""From examples to the loss: logits at the learned positions alone, and what a step minimises."""
