"""Hashing many files at once: hashlib lets go of Python's lock, so that each core hashes a file."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from pipeline.common import files

Item = TypeVar("Item")
Result = TypeVar("Result")


def sha256(paths: Iterable[Path]) -> dict[Path, str]:
    """SHA-256 of each file; none of them may be missing."""
    return together(files.sha256, paths)


def together(function: Callable[[Item], Result], items: Iterable[Item]) -> dict[Item, Result]:
    """What the function says of each item, computed on all cores; the first error is raised."""
    items = list(dict.fromkeys(items))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(items, pool.map(function, items), strict=True))
