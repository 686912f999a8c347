"""Forges a commit that agrees with itself: files are changed, and every recorded hash of them with them."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.conftest import Clone

MANIFEST = "reports/manifest.json"
Edit = Callable[[Any], None]


def dumped(value: Any) -> bytes:
    """JSON as the stages write it."""
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def predictions(content: dict[str, Any]) -> bytes:
    """predictions.json as the stage writes it."""
    lists = ("items", "robustness")

    def line(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False, sort_keys=True)

    lines = [f" {line(name)}: {line(value)}" for name, value in content.items() if name not in lists]
    lines += [f" {line(name)}: [" + ",".join(f"\n  {line(row)}" for row in content[name]) + "]" for name in lists]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def edited(clone: Clone, path: str, edit: Edit) -> dict[str, bytes]:
    """One JSON file with a change, for `forge`."""
    content = json.loads(clone.read(path))
    edit(content)
    return {path: predictions(content) if path.endswith("predictions.json") else dumped(content)}


def forge(clone: Clone, contents: dict[str, bytes], lock: Edit = lambda _: None) -> None:
    """Write files, and put their hashes into manifest, dvc.lock and cache; `lock` edits dvc.lock's stages further."""
    manifest = json.loads(clone.read(MANIFEST))
    for path, content in contents.items():
        if path in manifest["outputs"]:
            manifest["outputs"][path] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    yaml, place = YAML(typ="safe"), clone.path / "dvc.lock"
    locked = yaml.load(place)
    for path, content in {**contents, MANIFEST: dumped(manifest)}.items():
        _write(clone, path, content)
        for stage in locked["stages"].values():
            for entry in [*stage.get("deps", []), *stage.get("outs", [])]:
                if entry["path"] == path:
                    entry |= {"md5": _md5(content), "size": len(content)}
    lock(locked["stages"])
    yaml.dump(locked, place)
    assert "up to date" in clone.dvc("status")  # as far as DVC can see
    clone.commit("Forged")


def _write(clone: Clone, path: str, content: bytes) -> None:
    for place in (clone.path / path, clone.path / ".dvc/cache/files/md5" / _md5(content)[:2] / _md5(content)[2:]):
        place.parent.mkdir(parents=True, exist_ok=True)
        Path(place).unlink(missing_ok=True)
        place.write_bytes(content)
    place.chmod(0o444)


def _md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()  # noqa: S324
