"""Compare a commit's manifest with the bytes in git, workspace, cache and remote."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.chain.commits import git, outputs
from pipeline.chain.commits import manifest_file as manifests
from pipeline.chain.commits.manifest_file import Digest
from pipeline.chain.history import releases, thinning
from pipeline.chain.lock import lockfile
from pipeline.chain.store.objects import Digests, Store
from pipeline.chain.store.places import Place
from pipeline.chain.verify import hashing, unlisted_files
from pipeline.common import documents, files, sources
from pipeline.common.errors import GraftError

ON_DEMAND = "on-demand"
FOREIGN = "foreign"
TRAINING = Path("reports/training.json")


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One file that is not what the manifest says.

    Its problem is missing, corrupt (bytes changed), wrong (intact, but not what was released),
    wrong-parent, wrong-anchor, foreign (its folder's listing does not name it), or on-demand (not
    there and need not be: a stage makes it again).
    """

    path: str
    place: str  # workspace | cache | remote | git
    problem: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.problem}: {self.path} in {self.place}: expected {self.expected}, found {self.found}"

    def as_json(self) -> dict[str, str]:
        """Plain dict, for --json."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Commit:
    """What one commit, or the working tree, says about its outputs."""

    manifest: dict[str, Digest]  # output file -> digest
    outputs: list[outputs.Output]
    raw: str | None  # DVC's hash of the increment's files
    lock: lockfile.Lock
    machine: dict[str, Any] | None  # the machine class that trained it; None: nothing was trained
    on_demand: bool  # its derived outputs need not be in the remote

    def objects(self) -> set[str]:
        """Every object that the remote must hold: cached outputs, but those on demand; data; an adopted parent."""
        named = {output.md5 for output in self.outputs if output.cached and not self.is_derived(output.path)}
        parent = self.lock.parent
        adopted = parent.state.values() if parent and parent.release == releases.ADOPTED else ()
        # An adopted parent is pushed by no release of its own.
        return named | {output["md5"] for output in adopted} | ({self.raw} if self.raw else set())

    def derived(self) -> set[str]:
        """The objects that are made on demand, unless something else is the same bytes; none where all are kept."""
        return {output.md5 for output in self.outputs if self.is_derived(output.path)} - self.objects()

    def is_derived(self, path: str) -> bool:
        """Whether this file is made on demand."""
        return self.on_demand and outputs.below(path, outputs.DERIVED)

    def absence(self, path: str) -> str:
        """What it is called when this file is not there."""
        return ON_DEMAND if self.is_derived(path) else "missing"


def read(revision: str | None, name: str | None = None) -> Commit:
    """What a revision says; the working tree for None.

    Args:
        revision: a tag, a commit.
        name: what to call it in errors; the revision itself for None.

    Raises:
        GraftError: the revision does not exist, is no commit of a pipeline that ran to its end, or one of its files
            is broken.
    """
    name = name or revision
    at = f"{name}:" if name else ""
    texts = {path: _text(revision, path) for path in ("dvc.yaml", "dvc.lock", "models.lock", "reports/manifest.json")}
    absent = [path for path, text in texts.items() if text is None]
    if revision and not git.succeeds("rev-parse", "--verify", "-q", f"{revision}^{{commit}}"):
        raise GraftError(f"{revision}: no such release or commit", help="graft log lists releases; git fetch --tags")
    if absent:
        raise GraftError(
            f"{name or 'the working tree'} holds no finished pipeline: no {', '.join(absent)}",
            help="graft log lists releases" if revision else "dvc repro makes them; git restore where git has them",
        )
    dvc_yaml, dvc_lock, lock, manifest = (text for text in texts.values() if text is not None)
    parsed = lockfile.parse(lock, f"{at}{lockfile.PATH}")
    raw_dvc = f"{parsed.increment}/raw.dvc"
    raw = _text(revision, raw_dvc)
    return Commit(
        manifest=manifests.parse(manifest, f"{at}{manifests.PATH}"),
        outputs=outputs.read(dvc_yaml, dvc_lock, at),
        raw=None if raw is None else outputs.raw_md5(raw, f"{at}{raw_dvc}"),
        lock=parsed,
        machine=_machine(_text(revision, str(TRAINING)), f"{at}{TRAINING}"),
        on_demand=thinning.asked(_text(revision, thinning.PARAMS)) or thinning.is_thinned(manifest),
    )


def apart(findings: Iterable[Finding]) -> tuple[list[Finding], list[Finding]]:
    """Faults, and files that are merely made on demand."""
    findings = list(findings)
    return [f for f in findings if f.problem != ON_DEMAND], [f for f in findings if f.problem == ON_DEMAND]


def workspace(commit: Commit) -> list[Finding]:
    """Outputs in the working tree that are not what the manifest says, and base files that are not the pinned ones."""
    md5s = {output.path: output.md5 for output in commit.outputs}
    hashes = hashing.sha256(path for path in map(Path, commit.manifest) if path.is_file())
    findings = []
    for path, digest in commit.manifest.items():
        if Path(path) not in hashes:
            partly = any(Path(output).exists() for output in outputs.DERIVED if outputs.below(path, [output]))
            absence = "missing" if partly else commit.absence(path)
            findings.append(_finding(path, "workspace", absence, digest["sha256"], "nothing"))
        elif (found := hashes[Path(path)]) != digest["sha256"]:
            intact = md5s.get(path) == hashlib.md5(Path(path).read_bytes(), usedforsecurity=False).hexdigest()
            findings.append(_finding(path, "workspace", "wrong" if intact else "corrupt", digest["sha256"], found))
    cached = [output.path for output in commit.outputs if output.cached]
    for extra in unlisted_files.below(cached, commit.manifest):
        findings.append(_finding(extra.as_posix(), "workspace", FOREIGN, "nothing", "a file that no listing names"))
    return findings + _embedded_base(commit.lock)


def checked_out(commit: Commit, findings: Iterable[Finding]) -> list[Finding]:
    """The findings, without files of outputs of which nothing is in the working tree: nobody pulled them."""
    absent = [output.path for output in commit.outputs if output.cached and not Path(output.path).exists()]
    return [f for f in findings if f.problem != "missing" or not outputs.below(f.path, absent)]


def data(commit: Commit, store: Store) -> list[Finding]:
    """Files of the increment in the working tree that are not what raw.dvc names; none where they are not here."""
    raw = Path(commit.lock.increment, "raw")
    if commit.raw is None or not raw.is_dir():
        return []
    try:
        listed = store.read_listing(commit.raw, "cache")
    except FileNotFoundError:
        return []  # named as missing from the cache; as corrupt where it is that
    findings = []
    for name, md5 in listed.files.items():
        path = raw / name
        found = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() if path.is_file() else "nothing"
        if found != md5:
            problem = "corrupt" if path.is_file() else "missing"
            findings.append(_finding(path.as_posix(), "workspace", problem, f"md5 {md5}", f"md5 {found}"))
    known = {(raw / name).as_posix() for name in listed.files}
    for extra in unlisted_files.below([raw.as_posix()], known) if known else ():
        if sources.is_leaving(extra.as_posix()):
            continue  # DVC does not see it, and increment.yaml does not list it
        findings.append(_finding(extra.as_posix(), "workspace", FOREIGN, "nothing", "a file that no listing names"))
    return findings


def objects(commit: Commit, store: Store, place: Place) -> list[Finding]:
    """Objects of cache or remote that are missing, changed, or not what the manifest says.

    Every byte is read. Files that several outputs share are read once.
    """
    named, findings = _named_objects(commit, store, place)
    findings += _unlisted(commit, {path for path, _ in named})
    absent = set(store.missing({md5 for _, md5 in named}, place))
    seen = _as_listed([(path, md5) for path, md5 in named if md5 not in absent], commit, store, place)
    seen |= store.all_digests({md5 for _, md5 in named} - absent - seen.keys(), place)
    for path, md5 in named:
        if md5 not in seen:
            findings.append(_finding(path, place, commit.absence(path), f"object {md5}", "nothing"))
            continue
        findings += _compare(path, md5, commit.manifest.get(path), seen[md5], place)
    return findings


def in_git(commit: Commit, revision: str) -> list[Finding]:
    """Outputs kept in git that are not what the manifest says, and outputs that it does not list."""
    findings = []
    for output in commit.outputs:
        if output.cached:
            continue
        content = git.show(revision, output.path)
        if output.path == releases.MANIFEST.as_posix():
            found = hashlib.md5(content or b"", usedforsecurity=False).hexdigest()
            if found != output.md5:
                findings.append(_finding(output.path, "git", "wrong", f"md5 {output.md5} of dvc.lock", f"md5 {found}"))
            continue
        digest = commit.manifest.get(output.path)
        found = "nothing" if content is None else hashlib.sha256(content).hexdigest()
        expected = "no such output" if digest is None else digest["sha256"]
        if found != expected:
            findings.append(_finding(output.path, "git", "missing" if content is None else "wrong", expected, found))
    return findings


def parentage(commit: Commit, known: Iterable[releases.Release]) -> list[Finding]:
    """Whether what this manifest holds of parent and anchor is what they released; an index may be made again."""
    known = list(known)
    parent, anchor = commit.lock.parent, commit.lock.anchor
    findings: list[Finding] = []
    if parent is not None and parent.release != releases.ADOPTED:  # an adopted adapter was never released
        state = [path for path in outputs.STATE if path != outputs.INDEX]
        findings += _handed_on(commit, "parent", parent.release, state, known)
    if anchor is not None:
        findings += _handed_on(commit, "anchor", anchor.release, outputs.ANCHOR, known)
    return findings


def _handed_on(
    commit: Commit, role: str, tag: str, paths: Iterable[str], known: Iterable[releases.Release]
) -> Iterator[Finding]:
    """Files below models/parent or models/anchor that are not what that release released."""
    release = next((release for release in known if release.tag == tag), None)
    if release is None:
        yield _finding(tag, "git", "missing", f"the {role}'s tag {tag}", "nothing")
        return
    at = f"{release.tag}:{manifests.PATH}"
    released = manifests.parse(git.show(release.commit, str(manifests.PATH)) or b"", at)
    for path, output in ((path, output) for output in paths for path in released if outputs.below(path, [output])):
        here = f"models/{role}/{Path(path).relative_to(Path(output).parent).as_posix()}"
        found = commit.manifest.get(here, {"sha256": "nothing"})["sha256"]
        if found != released[path]["sha256"]:
            yield _finding(path, "git", f"wrong-{role}", f"{released[path]['sha256']} of {tag}", found)


def provenance(lock: lockfile.Lock, known: Iterable[releases.Release]) -> list[Finding]:
    """Whether the parent's tag is still on the commit that the candidate was opened on."""
    parent = lock.parent
    release = next((release for release in known if parent and release.tag == parent.release), None)
    if parent is None or release is None or parent.commit in (release.commit, releases.NO_COMMIT):
        return []
    return [
        _finding(f"tag {release.tag}", "git", "wrong-tag", f"commit {parent.commit} of models.lock", release.commit)
    ]


def hidden() -> list[Finding]:
    """Edited files of the working tree whose edits git was told not to see."""
    return [
        _finding(path, "workspace", "hidden-edit", "as committed", f"an edit that {how} hides")
        for path, how in git.hidden().items()
    ]


def _embedded_base(lock: lockfile.Lock) -> list[Finding]:
    if lock.base.requested.source != "builtin":
        return []
    folder, findings = Path("examples/base"), []
    for name, expected in lock.base.resolved.sha256.items():
        if (folder / name).is_symlink():
            findings.append(_finding(f"{folder}/{name}", "workspace", "corrupt", expected, "a link"))
            continue
        found = files.sha256(folder / name) if (folder / name).is_file() else "nothing"
        if found != expected:
            problem = "missing" if found == "nothing" else "corrupt"
            findings.append(_finding(f"{folder}/{name}", "workspace", problem, expected, found))
    return findings


def _unlisted(commit: Commit, named: set[str]) -> list[Finding]:
    """Files that only one of manifest and dvc.lock knows: the list itself was changed."""
    raw = f"{commit.lock.increment}/raw/"
    in_git = {output.path for output in commit.outputs if not output.cached}
    folders = tuple(f"{output.path}/" for output in commit.outputs if output.cached and output.md5.endswith(".dir"))
    whole = {folder for folder in folders if any(path.startswith(folder) for path in named)}
    extra = [p for p in named if p not in commit.manifest and not p.startswith(raw)]
    ghosts = [
        path
        for path in commit.manifest
        if path not in named | in_git and (path.startswith(tuple(whole)) or not path.startswith(folders))
    ]
    return [_finding(p, "git", "wrong", "an entry in reports/manifest.json", "none") for p in sorted(extra)] + [
        _finding(p, "git", "wrong", "an output of dvc.lock", "none") for p in sorted(ghosts)
    ]


def _named_objects(commit: Commit, store: Store, place: Place) -> tuple[list[tuple[str, str]], list[Finding]]:
    """(path, md5) of every cached file, and the folders whose listing is missing or corrupt."""
    named: list[tuple[str, str]] = []
    findings: list[Finding] = []
    roots = [(output.path, output.md5) for output in commit.outputs if output.cached]
    if commit.raw:
        roots.append((f"{commit.lock.increment}/raw", commit.raw))
    else:
        findings.append(_finding(f"{commit.lock.increment}/raw.dvc", "git", "missing", "the data's hash", "nothing"))
    for path, md5 in roots:
        if not md5.endswith(".dir"):
            named.append((path, md5))
            continue
        try:
            listing = store.read_listing(md5, place)
            if listing.problem:
                findings.append(_finding(f"{path}/", place, "corrupt", f"md5 {md5}", listing.problem))
            named += [(f"{path}/{name}", child) for name, child in listing.files.items()]
        except FileNotFoundError:
            lost = [p for p in commit.manifest if p.startswith(f"{path}/")] if commit.is_derived(path) else [f"{path}/"]
            findings += [_finding(p, place, commit.absence(path), f"object {md5}", "nothing") for p in lost]
    return named, findings


def _as_listed(named: list[tuple[str, str]], commit: Commit, store: Store, place: Place) -> dict[str, Digests]:
    """Objects whose SHA-256 is the manifest's: MD5, which is slower and weaker, has nothing to add."""
    listed = {md5: commit.manifest[path]["sha256"] for path, md5 in named if path in commit.manifest}
    found = store.all_sha256(listed, place)
    return {md5: Digests(md5, sha256, 0) for md5, sha256 in found.items() if sha256 == listed[md5]}


def _compare(path: str, md5: str, listed: Digest | None, found: Any, place: str) -> Iterator[Finding]:
    if found.md5 != md5:
        expected = f"sha256 {listed['sha256']}" if listed else f"md5 {md5}"
        actual = f"sha256 {found.sha256}" if listed else f"md5 {found.md5}"
        yield _finding(path, place, "corrupt", expected, actual)
    elif listed is not None and found.sha256 != listed["sha256"]:
        yield _finding(path, place, "wrong", listed["sha256"], found.sha256)


def _finding(path: str, place: str, problem: str, expected: str, found: str) -> Finding:
    return Finding(path=path, place=place, problem=problem, expected=expected, found=found)


def _machine(training: bytes | None, where: str) -> dict[str, Any] | None:
    machine = None if training is None else documents.parse_object(training, where).get("machine_class")
    if not isinstance(machine, dict | None):
        raise GraftError(f"{where}: $.machine_class: not an object", help=documents.RESTORE)
    return machine


def _text(revision: str | None, path: str) -> bytes | None:
    if revision is None:
        return Path(path).read_bytes() if Path(path).is_file() else None
    return git.show(revision, path)
