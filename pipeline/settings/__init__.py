"""Settings: params.yaml and the defaults in code -> every effective value, where it comes from and what it means."""
