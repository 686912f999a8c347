"""Line ends that git rewrote: a file whose bytes are not the pinned ones, and would be with LF for CRLF."""

BEFORE = "commit or stash your own changes, "
WAY_OUT = "git config core.autocrlf false && git config core.eol lf && git rm -r -q --cached . && git reset -q --hard"


def with_lf(content: bytes) -> bytes:
    """The bytes with LF in place of every CRLF."""
    return content.replace(b"\r\n", b"\n")


def differ_alone(one: bytes, other: bytes) -> bool:
    """Whether two contents are different ones and would be the same with LF in place of every CRLF."""
    return one != other and with_lf(one) == with_lf(other)
