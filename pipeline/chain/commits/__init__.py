"""What a commit says: git itself, its outputs by dvc.yaml and dvc.lock, its manifest."""
