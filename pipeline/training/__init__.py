"""The training engine: records -> examples -> steps -> what the parent becomes."""
