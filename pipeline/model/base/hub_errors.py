"""What can go wrong with the hub, in words of our own.

No text of the library, the server or a request goes into a message: any of them may hold a token.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

from pipeline.common.errors import GraftError

_ACCESS = "set HF_TOKEN, or log in with `hf auth login`"
_NETWORK = "check the network, HF_ENDPOINT and the proxy; with a filled cache HF_HUB_OFFLINE=1 needs none of them"
_CUT = "the download was cut short, nothing of this file was kept"
_AGAIN = "run this again; files that are complete are not downloaded twice"


class _Words(NamedTuple):
    message: str
    help: str


def title(repo: str, revision: str | None) -> str:
    """A repository and its revision, as messages name them."""
    return f"hf:{repo}" + (f" at {revision}" if revision else "")


@contextmanager
def explained(repo: str, revision: str | None, file: str | None = None) -> Iterator[None]:
    """Turn what the hub's library raises inside the block into a GraftError.

    Args:
        repo: ORG/NAME.
        revision: branch, tag, commit, or None for the default branch.
        file: what is being downloaded, if it is one file.
    """
    import httpx2  # the hub library's own client

    try:
        yield
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        words = _words(error, repo)
        where = title(repo, revision) + (f": {file}" if file else "")
        raise GraftError(f"{where}: {words.message}", help=words.help) from None


def _words(error: Exception, repo: str) -> _Words:
    from huggingface_hub import constants, errors

    if isinstance(error, errors.LocalEntryNotFoundError) and isinstance(error.__cause__, Exception):
        error = error.__cause__
    hub = urlsplit(constants.ENDPOINT).netloc.rpartition("@")[2] or "the address in HF_ENDPOINT"
    for kinds, words in _rules(hub, repo):
        if isinstance(error, kinds):
            return words
    if isinstance(error, errors.HfHubHTTPError):
        return _status(hub, error.response.status_code)
    if isinstance(error, OSError) and error.strerror:
        return _Words(f"cannot use the cache: {error.strerror}", "HF_HOME names it; you need rights and room there")
    if "Consistency check failed" in str(error):
        return _Words(_CUT, _AGAIN)
    return _Words(f"{hub} does not answer as a hub does ({type(error).__name__})", _NETWORK)


def _rules(hub: str, repo: str) -> list[tuple[tuple[type[Exception], ...], _Words]]:
    """Words by class; the first that fits is the most specific, for the classes inherit from each other."""
    import httpx2
    from huggingface_hub import errors

    offline = _Words("not in the cache, and HF_HUB_OFFLINE forbids the network", "unset HF_HUB_OFFLINE for one run")
    gated = _Words("access is restricted (gated)", f"ask for access at {repo}'s page on {hub}, then {_ACCESS}")
    revision = _Words("no such revision", "base.revision in params.yaml must be a branch, tag or commit")
    name = _Words("no such repository, or it is private", f"check base.source in params.yaml; if private, {_ACCESS}")
    file = _Words("no such file", "the repository was rewritten: choose another base.revision, then graft lock")
    malformed = _Words("not a repository name", "base.source in params.yaml must be hf:ORG/NAME")
    silent = _Words(f"no answer from {hub}", _NETWORK)
    return [
        ((errors.OfflineModeIsEnabled,), offline),
        ((errors.GatedRepoError,), gated),
        ((errors.RepositoryNotFoundError,), name),
        ((errors.RevisionNotFoundError,), revision),
        ((errors.EntryNotFoundError,), file),
        ((errors.HFValidationError,), malformed),
        ((httpx2.TimeoutException, httpx2.NetworkError, httpx2.ProxyError), silent),
        ((httpx2.RemoteProtocolError,), _Words(_CUT, _AGAIN)),
    ]


def _status(hub: str, status: int) -> _Words:
    if status in (401, 403):
        return _Words(f"{hub} refuses access (HTTP {status})", f"the token is not valid for this: {_ACCESS}")
    return _Words(f"{hub} answers HTTP {status}", "the server fails or is busy: try again later")
