"""What the system refuses, or a server's log tells, in one line."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from throwaway_mysql import LoggedError, ServerError
from throwaway_mysql.servers.server import FULL


@contextmanager
def one_line(what: str = "no server can be made for the tests") -> Iterator[None]:
    """Tell in one line what the system refuses, or a server's log, which goes with the run.

    `what` is what cannot be done then.
    """
    try:
        yield
    except LoggedError as error:
        raise ServerError(error.what) from None
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = FULL if full else error.strerror
        where = f" ({error.filename})" if error.filename else ""
        raise ServerError(f"{what}: {reason}{where}") from None
