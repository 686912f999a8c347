"""What every package stands on: errors, files, schemas, YAML, settings, words."""
