"""What is masked: a pattern for each kind of personal data, and for secrets."""
