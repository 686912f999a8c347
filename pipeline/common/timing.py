"""reports/timings/STAGE.json: seconds and memory. They never repeat, so they are no output of a stage."""

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.common import files

FOLDER = Path("reports/timings")
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # ru_maxrss: bytes on macOS, KiB elsewhere


@contextmanager
def measured(stage: str) -> Iterator[dict[str, Any]]:
    """Time what runs inside; the dict that it yields takes further figures by name."""
    figures: dict[str, Any] = {}
    started = time.monotonic()
    yield figures
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT
    figures |= {"seconds": round(time.monotonic() - started, 3), "peak_memory_bytes": peak}
    files.write_json(FOLDER / f"{stage}.json", figures)
