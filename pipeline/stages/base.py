"""base: params.yaml + models.lock -> models/base, the pinned base with every file's hash checked.

A hub's weights stay in the hub's cache, and only the pin is an output: no second copy of a large
base. With `base.store: dvc` the files are an output too, for teams whose machines reach no hub.

A base whose tokenizer.json means one thing read plainly and another to AutoTokenizer is refused for a first release;
a chain that stands on one already goes on, with a warning.
"""

import shutil
from pathlib import Path

from pipeline.chain.lock import lockfile
from pipeline.common import errors, files, params
from pipeline.common.errors import GraftError
from pipeline.model.base import base_files, readings
from pipeline.model.base.base_files import Pin
from pipeline.model.base.settings import BaseSettings


def pin_of(asked: BaseSettings, locked: lockfile.LockedBase) -> Pin:
    """The pin to write.

    Raises:
        GraftError: models.lock was resolved for another base than params.yaml asks for.
    """
    requested = locked.requested
    differences = [
        f"base.{name}: params.yaml asks for {wanted}, models.lock resolved {pinned}"
        for name, wanted, pinned in [
            ("source", asked.source, requested.source),
            ("revision", asked.revision, requested.revision),
        ]
        if wanted != pinned
    ]
    if differences:
        raise GraftError("models.lock is older than params.yaml", differences, help="graft lock")
    resolved = locked.resolved
    return Pin(source=asked.source, revision=resolved.revision, sha256=resolved.sha256, store=asked.store)


def copy_files(source: Path, names: list[str], target: Path) -> None:
    """Copy files into a new folder; on failure nothing of it stays.

    Raises:
        GraftError: the disk is full, or refuses.
    """
    try:
        for name in names:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, target / name)
    except OSError as error:
        shutil.rmtree(target, ignore_errors=True)
        raise GraftError(f"{target / name}: {error.strerror}", help="store: dvc needs room for a copy") from None


def main() -> None:
    """Run the stage."""
    asked, lock = params.load("base", BaseSettings), lockfile.load()
    pin = pin_of(asked, lock.base)
    out = files.empty_dir(base_files.PIN_DIR)
    print(f"base: {pin.source}: checking {len(pin.sha256)} files", flush=True)
    folder = base_files.origin(pin)
    try:
        readings.refuse_two_readings(pin.source, folder, sorted(pin.sha256))
    except GraftError as error:
        # Whether there is a parent is no dependency in dvc.yaml: a chain goes on, on the base that it passed once.
        if asked.two_readings == "refuse" and lock.parent is None:
            raise
        print(f"base: warning: {error.message}", flush=True)
    if pin.store == "dvc":
        copy_files(folder, sorted(pin.sha256), out / "weights")
    base_files.write_pin(pin)  # last: without it the folder counts for nothing
    print(f"base: every file is as pinned in {lockfile.PATH}")


if __name__ == "__main__":
    errors.run(main)
