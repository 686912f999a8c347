"""GitHub, by its command `gh`; GH_TOKEN and GH_REPO say as whom and where."""

import io
import json
import os
import subprocess
import zipfile
from typing import Any

from pipeline.common.errors import GraftError


def pages(path: str) -> list[Any]:
    """Every page that the API gives for a path below the repository, such as `commits/SHA/pulls`.

    Raises:
        GraftError: GitHub refused; the message is gh's own.
    """
    return list(json.loads(_api("--paginate", "--slurp", _place(path))))


def artifact(run: int, name: str) -> zipfile.ZipFile | None:
    """An artifact of a workflow run, in memory: nothing of it is unpacked. None: it has expired or was deleted.

    Raises:
        GraftError: GitHub refused, or sent something else than a zip file.
    """
    kept = [
        each
        for page in pages(f"actions/runs/{run}/artifacts?per_page=100")
        for each in page["artifacts"]
        if each["name"] == name and not each["expired"]
    ]
    if not kept:
        return None
    try:
        return zipfile.ZipFile(io.BytesIO(_api(_place(f"actions/artifacts/{kept[0]['id']}/zip"))))
    except zipfile.BadZipFile as error:
        raise GraftError(f"artifact {name} of run {run}: {error}") from None


def _place(path: str) -> str:
    return f"repos/{os.environ['GH_REPO']}/{path}"


def _api(*arguments: str) -> bytes:
    done = subprocess.run(["gh", "api", *arguments], capture_output=True, check=False)
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()[-3:]
        raise GraftError(f"gh api {arguments[-1]} failed", said)
    return done.stdout
