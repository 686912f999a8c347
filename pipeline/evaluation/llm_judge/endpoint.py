"""A model that judges, behind an OpenAI-compatible endpoint: one chat completion at a time, over HTTP.

Reached from this module alone. No redirect is followed and no answer read beyond a bound; the key is sent to the
endpoint and stands in no message.
"""

import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.common.errors import GraftError

AGAIN = (408, 409, 425, 429, 500, 502, 503, 504)  # worth another attempt
LONGEST = 1 << 20  # bytes of an answer
PAUSE = 1.0  # seconds before the second attempt; doubled each time
PATIENCE = 30.0  # seconds, at most, between two attempts
_SHOWN = 200  # characters of a server's own words
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """The endpoint and how it is asked."""

    url: str  # without /chat/completions
    model: str
    max_tokens: int
    key: str | None  # sent as a bearer token
    timeout: float  # seconds for a whole answer
    attempts: int  # at most, for one answer


class Busy(Exception):  # noqa: N818
    """Something that another attempt may mend."""

    def __init__(self, said: str, pause: float | None = None) -> None:
        super().__init__(said)
        self.pause = pause  # seconds that the server asks for


def key(name: str | None) -> str | None:
    """The key in an environment variable; None: none is asked for.

    Raises:
        GraftError: it is not set, or is nothing that a header can hold.
    """
    if name is None:
        return None
    where = f"params.yaml: $.evaluate.judge.key_from: the environment variable {name}"
    value = os.environ.get(name, "").strip()
    if not value:
        raise GraftError(f"{where} is not set", help="set it for this command, or key_from: null for a judge without")
    if not re.fullmatch(r"[!-~]+", value):
        raise GraftError(f"{where} holds characters that no key has", help="blanks or line breaks may have slipped in")
    return value


def client(asked: Asked) -> Any:
    """A client for several threads; a proxy of the environment is used beyond this machine alone."""
    import httpx2

    outside = asked.url.startswith("https:")
    return httpx2.Client(timeout=asked.timeout, trust_env=outside, follow_redirects=False)


def ask(http: Any, asked: Asked, prompt: str) -> str | None:
    """What the model answers, at temperature 0; None: it was cut off at max_tokens.

    Raises:
        GraftError: it cannot be reached, refuses, or does not speak the protocol.
    """
    pause = PAUSE
    for attempt in range(1, asked.attempts + 1):
        try:
            return _once(http, asked, prompt)
        except Busy as busy:
            if attempt == asked.attempts:
                raise _error(asked, f"{busy}, {attempt} times") from None
            time.sleep(min(PATIENCE, pause if busy.pause is None else busy.pause))
            pause *= 2
    raise _error(asked, "was never asked")


def number(said: str | None, scale: tuple[float, float]) -> float | None:
    """The score that an answer ends with: its last line is a number on the scale and nothing else, or it is none."""
    last = (said or "").strip().rpartition("\n")[2].strip()
    if not _NUMBER.fullmatch(last):
        return None
    low, high = scale
    score = float(last)
    return score if low <= score <= high else None


def _once(http: Any, asked: Asked, prompt: str) -> str | None:
    import httpx2

    body = {
        "model": asked.model,
        "messages": [{"role": "user", "content": prompt}],
        "temperature": 0,
        "max_tokens": asked.max_tokens,
    }
    content = json.dumps(body).encode()  # lone surrogates escaped
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {asked.key}"} if asked.key else {})
    address = f"{asked.url.rstrip('/')}/chat/completions"
    ends = time.monotonic() + asked.timeout
    try:
        with http.stream("POST", address, content=content, headers=headers) as answer:
            received = b""
            for piece in answer.iter_bytes():
                received += piece
                if time.monotonic() > ends:
                    raise Busy(f"was not done after {asked.timeout:g} seconds")
                if len(received) > LONGEST:
                    raise _error(asked, "answers more than a chat completion may be")
    except httpx2.TimeoutException:
        raise Busy(f"did not answer within {asked.timeout:g} seconds") from None
    except (httpx2.HTTPError, OSError) as error:
        raise Busy(f"cannot be reached ({type(error).__name__})") from None
    except (httpx2.InvalidURL, ValueError, OverflowError):
        raise _error(asked, "has no address that can be called") from None
    if answer.status_code == 200:
        return _content(asked, received)
    said = f"answers {answer.status_code}{_words(asked, received)}"
    if answer.status_code in AGAIN:
        raise Busy(said, _wait(answer.headers))
    raise _error(asked, said)


def _content(asked: Asked, received: bytes) -> str | None:
    try:
        choice = json.loads(received)["choices"][0]
        content = choice["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError):
        raise _error(asked, "answers no chat completion") from None
    if choice.get("finish_reason") == "length":
        return None
    return content if isinstance(content, str) else None


def _words(asked: Asked, received: bytes) -> str:
    """What the server says of an error, in short; it may repeat the key, and nobody is shown that."""
    try:
        found = json.loads(received)
        found = found.get("error", found) if isinstance(found, dict) else ""
        said = str(found.get("message", "") if isinstance(found, dict) else found)
    except ValueError:
        return ""
    if asked.key:
        said = said.replace(asked.key, "***")
    shown = " ".join(said.split())
    return f": {shown[:_SHOWN]}" if shown.isprintable() and shown else ""


def _wait(headers: Mapping[str, str]) -> float | None:
    told = headers.get("retry-after", "")
    return float(told) if told.isascii() and told.isdigit() else None


def _error(asked: Asked, what: str) -> GraftError:
    return GraftError(
        f"the judge {asked.model} at {asked.url} {what}",
        help="what it said so far is kept; see evaluate.judge in params.yaml and docs/how-to/judge.md, then again",
    )
