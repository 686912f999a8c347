"""models.lock: what params.yaml resolved to, and the toolchain that changes bytes."""
