"""This package's one error class, and helpers that make its messages."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

FULL = "the disk is full: make room"


class ServerError(RuntimeError):
    """Something is wrong with a server; the message is one line that says what to do."""


@contextmanager
def one_line(what: str) -> Iterator[None]:
    """Turn an OSError into a ServerError; `what` says what has failed."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = FULL if full else error.strerror
        where = f" ({error.filename})" if error.filename else ""
        raise ServerError(f"{what}: {reason}{where}") from None


def wrong(fixture: str, wanted: str, value: object) -> ServerError:
    """Return the error for a fixture that gives a value of the wrong type."""
    kind = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
    return ServerError(f"the fixture {fixture} must give {wanted}, not {kind}")
