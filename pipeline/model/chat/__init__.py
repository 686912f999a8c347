"""Messages become token ids by the chat template: the base's own, a shipped one or a file of the repository."""
