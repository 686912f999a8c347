"""What one file and one row of it may come to."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one file and one row of it may come to."""

    max_bytes: int = 2_000_000_000  # of a file, unpacked; above it the file is refused
    max_line: int = 1 << 20  # characters of a row; a longer one is rejected
