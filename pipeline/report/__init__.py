"""The report in words and pictures: what was decided, why, and what it rests on."""
