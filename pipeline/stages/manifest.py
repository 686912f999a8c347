"""manifest: path, size and SHA-256 of every output -> reports/manifest.json, in git: any commit can be verified"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipeline.common import errors, files, yaml
from pipeline.common.errors import GraftError

PIPELINE = Path("dvc.yaml")
TRAINING = Path("reports/training.json")
MANIFEST = Path("reports/manifest.json")
VERSION = 1


def outputs(pipeline: dict[str, Any]) -> list[Path]:
    """Every output that dvc.yaml names, the manifest itself aside."""
    named = [out for stage in pipeline["stages"].values() for out in stage["outs"]]
    paths = [Path(out if isinstance(out, str) else next(iter(out))) for out in named]
    return [path for path in paths if path != MANIFEST]


def digests(paths: Iterable[Path]) -> dict[str, dict[str, Any]]:
    """Size (bytes) and SHA-256 of every file at or below the paths, by POSIX path.

    Raises:
        GraftError: outputs that do not exist, each named.
    """
    paths = list(paths)
    if missing := [str(path) for path in paths if not path.exists()]:
        raise GraftError("manifest: outputs are missing", missing, help="dvc repro")
    found = [file for path in paths for file in files.files_below(path)]
    return {file.as_posix(): {"size": file.stat().st_size, "sha256": files.sha256(file)} for file in found}


def main() -> None:
    """Hash what the stages before put out."""
    MANIFEST.unlink(missing_ok=True)
    listed = digests(outputs(yaml.load_unchecked(PIPELINE)))
    machine_class = files.read_json(TRAINING)["machine_class"]
    files.write_json(MANIFEST, {"version": VERSION, "machine_class": machine_class, "outputs": listed})
    print(f"manifest: {len(listed)} files")


if __name__ == "__main__":
    errors.run(main)
