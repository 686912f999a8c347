"""The environment: what changes bytes (toolchain), and whether it is the pinned one."""

import platform
import re
from importlib import metadata
from pathlib import Path

REQUIREMENTS = Path("requirements.lock")
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


def unpinned(requirements: Path = REQUIREMENTS) -> list[str]:
    """Installed versions that differ from requirements.lock, one line each; extras may be absent."""
    lines = requirements.read_text().splitlines() if requirements.is_file() else []
    pins: dict[str, str] = {match[1]: match[2] for line in lines if (match := _PIN.match(line)) is not None}
    here = {name: version for name in pins if (version := _installed(name)) is not None}
    return [f"{requirements}: {line}" for line in differences(pins, here)]


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name).partition("+")[0]
    except metadata.PackageNotFoundError:
        return None
