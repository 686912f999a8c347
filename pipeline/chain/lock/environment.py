"""The environment: what changes bytes (toolchain), and whether it is the pinned one."""

import platform
import re
from importlib import metadata
from pathlib import Path

REQUIREMENTS = Path("requirements.lock")
REMOTES = Path("requirements-remotes.lock")  # extras: what is absent is not asked for
# Packages whose version can change an adapter's, a merged model's or a record's bytes.
TOOLCHAIN = (
    "huggingface_hub",
    "numpy",
    "peft",
    "pyarrow",
    "safetensors",
    "tokenizers",
    "torch",
    "transformers",
)
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)")


def toolchain() -> dict[str, str]:
    """What this environment trains with: name -> version without local suffix (2.13.0+cpu is 2.13.0)."""
    python = ".".join(platform.python_version_tuple()[:2])
    return {"python": python, **{name: _installed(name) or "absent" for name in TOOLCHAIN}}


def differences(pinned: dict[str, str], found: dict[str, str]) -> list[str]:
    """Every name whose version differs, one line each."""
    return [
        f"{name}: locked {pinned.get(name, 'not')}, here {found.get(name, 'absent')}"
        for name in sorted(pinned.keys() | found.keys())
        if pinned.get(name) != found.get(name)
    ]


def unpinned() -> list[str]:
    """Installed versions that differ from the pinned ones, one line each; extras may be absent."""
    pins, extras = _pins(REQUIREMENTS), _pins(REMOTES)
    here = {name: version for name in pins | extras if (version := _installed(name)) is not None}
    wanted = pins | {name: version for name, version in extras.items() if name in here}
    found = differences(wanted, here)
    return [f"{REMOTES if line.partition(':')[0] in extras else REQUIREMENTS}: {line}" for line in found]


def _pins(requirements: Path) -> dict[str, str]:
    lines = requirements.read_bytes().decode("utf-8", "replace").splitlines() if requirements.is_file() else []
    return {match[1]: match[2] for line in lines if (match := _PIN.match(line)) is not None}


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name).partition("+")[0]
    except metadata.PackageNotFoundError:
        return None
