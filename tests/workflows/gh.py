"""Stands in for GitHub's command `gh`: writes down what it was asked, and answers from a folder.

GH_STATE holds calls.jsonl (what was asked, with the text of the files named), files.json (a pull request's
files), comments.json (its comments, which POST adds to), runs.json (of retrain.yml) and runs/ID/ARTIFACT.
"""

import io
import json
import os
import sys
import zipfile
from pathlib import Path

STATE = Path(os.environ["GH_STATE"])


def main() -> None:
    words = sys.argv[1:]
    paths = [Path(word.rpartition("@")[2]) for word in words]
    texts = {path.name: path.read_text(encoding="utf-8") for path in paths if path.is_file()}
    told = {"words": words, "files": texts, "token": os.environ.get("GH_TOKEN"), "repo": os.environ.get("GH_REPO")}
    with (STATE / "calls.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(told) + "\n")
    if words[0] == "api":
        api(words, texts)


def api(words: list[str], texts: dict[str, str]) -> None:
    place = next(word for word in words if word.startswith("repos/")).split("/")
    if place[-1] == "pulls":
        print(json.dumps([[{"number": 7, "merged_at": "2026-01-01T00:00:00Z"}]]))
        return
    if place[-1].startswith("runs?"):
        print(json.dumps([{"workflow_runs": json.loads((STATE / "runs.json").read_text())}]))
        return
    if place[-1].startswith("artifacts?"):
        kept = (STATE / "runs" / place[-2]).is_dir()
        print(json.dumps([{"artifacts": [{"id": place[-2], "name": "trained", "expired": not kept}]}]))
        return
    if place[-1] == "zip":
        sys.stdout.buffer.write(zipped(STATE / "runs" / place[-2] / "trained"))
        return
    comments = json.loads((STATE / "comments.json").read_text())
    if "POST" in words:
        comments.append({"id": len(comments) + 1, "body": next(iter(texts.values()))})
    elif "PATCH" in words:
        comments[int(place[-1]) - 1]["body"] = next(iter(texts.values()))
    elif place[-1] == "comments":
        asked = " ".join(words)
        print("\n".join(str(comment["id"]) for comment in comments if comment["body"].splitlines()[0] in asked))
    else:
        print("\n".join(json.loads((STATE / "files.json").read_text())))
    (STATE / "comments.json").write_text(json.dumps(comments))


def zipped(folder: Path) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            archive.write(path, path.relative_to(folder))
    return content.getvalue()


if __name__ == "__main__":
    main()
