"""What a remote's failure means for a user: where, what, what to do; never a password.

DVC's plug-ins raise what their libraries raise (asyncssh, httpx, aiohttp, botocore, plain OSError),
and none of these libraries need be here: so faults are told apart by errno, status and name.
"""

import errno
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from pipeline.common.errors import GraftError

AGAIN = "what arrived stays: run the same command again to go on"
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
_SECRET = re.compile(r"pass|secret|token|key|credential|connection_string|sas")
_USERINFO = re.compile(r"(\w+)://([^/\s'\"]*)@")

_EXTRAS = ("azure", "gs", "s3", "ssh", "webdav")  # of pyproject.toml

# Signs of a fault in an exception, what it is, what helps. The first that fits is it.
_FAULTS = (
    (
        r"RemoteMissingDepsError|to be installed",
        "the plug-in for it is not installed",
        f"make setup EXTRAS=NAME, of {', '.join(_EXTRAS)}",
    ),
    (
        r"NotImplementedError",
        "not possible there",
        "a plain HTTP server neither lists nor deletes: do it on the server",
    ),
    (
        r"ENOSPC|EDQUOT|EFBIG|No space left|quota|\b507\b|InsufficientStorage|XMinioStorageFull",
        "no room left there",
        f"make room there; {AGAIN}",
    ),
    (
        r"EROFS|Read-only|\b405\b|SFTPPermissionDenied|EACCES|EPERM|AccessDenied|\b403\b|Forbidden",
        "not allowed",
        f"it is read-only for this account, or the credentials are another's; once that is mended, {AGAIN}",
    ),
    (
        r"PermissionDenied|PermissionError|\b401\b|Unauthorized|InvalidAccessKeyId|SignatureDoesNotMatch"
        r"|InvalidToken|ExpiredToken|NoCredentials|ClientAuthenticationError|RefreshError|DefaultCredentialsError",
        "the credentials are refused",
        "they are wrong, expired or not set: environment variables, or dvc remote modify --local",
    ),
    (
        r"FileNotFoundError|NoSuchBucket|ENOENT|ResourceNotFound|\b404\b|\b409\b",
        "not there",
        "the bucket or the folder that the address names must exist: make it first, or mend the address",
    ),
    (
        r"ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|gaierror|Name or service not known|ConnectError|EndpointConnectionError"
        r"|ClientConnectorError|HostKeyNotVerifiable",
        "out of reach",
        "is the host up, and is the address right? dvc remote list",
    ),
    (
        r"ConnectionLost|ECONNRESET|EPIPE|ConnectionReset|BrokenPipe|ConnectionClosed|ServerDisconnected"
        r"|RemoteProtocolError|ReadError|WriteError|Timeout|ETIMEDOUT|IncompleteRead|ClientPayloadError|NoConnection"
        r"|Connection lost|IncompleteBody",
        "the connection broke",
        AGAIN,
    ),
    (
        r"SFTPFailure|\b500\b|InternalError|internal error",
        "the server could not do it and does not say why",
        f"most often its disk is full or read-only; once that is mended, {AGAIN}",
    ),
)


def fault(where: str, settings: Mapping[str, Any], error: BaseException, problems: Iterable[str] = ()) -> GraftError:
    """The error that a user sees when a remote or the cache fails.

    Args:
        where: the place and its address.
        settings: what DVC's config says of a remote; what is secret there never appears in the message.
        error: what the plug-in raised.
        problems: what is affected, one line each.
    """
    # Some plug-ins look for a file in the wake of a fault, and find none: that is the last thing to name.
    links = sorted(_chain(error), key=lambda link: "NotFound" in type(link).__name__)
    known = ((link, *found) for link in links if (found := _known(link)))
    link, what, help_ = next(
        known, (error, "failed", "dvc remote list shows where it points; docs/remotes.md says more")
    )
    said = (str(link).strip() or type(link).__name__).splitlines()[0]
    return GraftError(mask(f"{where}: {what}: {said}", settings), problems, help=help_)


def is_absence(error: BaseException) -> bool:
    """Whether an object is not there; plain HTTP calls everything that failed a file not found."""
    links = list(_chain(error))
    if not isinstance(error, FileNotFoundError) or any(
        getattr(link, "status", 404) not in (404, 410) for link in _chain(error)
    ):
        return False
    return all(isinstance(link, FileNotFoundError) or not isinstance(link, OSError) for link in links)


def is_of_disk(error: BaseException) -> bool:
    """Whether this machine's own disk failed while it took what a remote gave."""
    return any(isinstance(link, OSError) and link.errno in _DISK for link in _chain(error))


def mask(text: str, settings: Mapping[str, Any]) -> str:
    """Text without the secrets of a remote's settings and without the passwords of any URL."""
    secrets = [value for key, value in settings.items() if isinstance(value, str) and value and _SECRET.search(key)]
    for secret in sorted({*secrets, *(quote(value, safe="") for value in secrets)}, key=len, reverse=True):
        text = text.replace(secret, "***")
    return _USERINFO.sub(_without_password, text)


def _without_password(url: re.Match[str]) -> str:
    """Scheme and user of ssh://user:password@; elsewhere the user may be a token, so nothing of it stays."""
    scheme, (user, colon, _) = url[1], url[2].partition(":")
    if scheme in ("ssh", "sftp"):
        return f"{scheme}://{user}{':***' if colon else ''}@"
    return f"{scheme}://***@"


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or link.__context__


def _known(error: BaseException) -> tuple[str, str] | None:
    """What is wrong and what helps, by an exception's name, text, errno and status; None for an unknown one."""
    code = errno.errorcode.get(error.errno or 0, "") if isinstance(error, OSError) else ""
    status = getattr(error, "status_code", None) or getattr(error, "status", "")
    signs = f"{type(error).__name__} {error} {code} {status}"
    return next(((what, help_) for words, what, help_ in _FAULTS if re.search(words, signs, re.IGNORECASE)), None)
