"""words.toml -> the sample increments and the text that the embedded base is built from.

    python -m examples.generate [FOLDER]

The standard library alone, and of `random` only `Random.random`, whose sequence Python promises
to keep: every supported Python writes the same bytes, and a test compares them with git's.
"""

import sys
from pathlib import Path

from examples import drops, texts


def main(folder: Path) -> None:
    """Write every file anew, below `folder`."""
    for name, text in {**drops.increments(), **texts.texts()}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
        print(f"{path}: {len(text.encode()):,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "examples"))
