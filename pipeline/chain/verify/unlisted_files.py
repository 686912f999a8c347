"""Files in the folders of outputs that no listing names: somebody put them there."""

from collections.abc import Container, Iterable
from pathlib import Path

from pipeline.common import files


def below(outputs: Iterable[str], known: Container[str]) -> list[Path]:
    """Files at or below these outputs that are not known by their path."""
    return [path for output in outputs for path in files.files_below(Path(output)) if path.as_posix() not in known]
