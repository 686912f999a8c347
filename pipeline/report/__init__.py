"""What people read: the report, its page, the model card."""
