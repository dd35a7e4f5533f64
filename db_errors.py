"""What an error of the server or its driver means: the one place that decides.

Sources: "Server Error Message Reference" in MySQL's manual and `include/mysqld_ername.h` there;
MariaDB's "Error Codes", whose own numbers begin at 1900 and 4000; "Client Error Message
Reference", 2000 to 2999, which are the driver's.
"""

from enum import Enum, auto


class Kind(Enum):
    """What to do about an error."""

    OUTAGE = auto()  # the server is away or cannot serve now: try again later
    CONFLICT = auto()  # another transaction was in the way: try again
    REFUSAL = auto()  # of the account, TLS, the host or the database: waiting is no help
    SCHEMA = auto()  # the tables are not this program's: migrate
    FAULT = auto()  # the statement is at fault, and would be again


CONFLICTS = {1205, 1213}
REFUSALS = {1044, 1045, 1049, 1130, 1698, 3118, 3159, 4151}
SCHEMA = {1054, 1146}
# Full, a node that its cluster has left behind, shutting down, blocked, an account's limit,
# read-only.
OUTAGES = {1040, 1047, 1053, 1129, 1203, 1226, 1290, 1836}


def number(error: BaseException) -> int:
    """Return MySQL's number of an error, or 0 where it has none."""
    args = getattr(error, "orig", error).args
    return args[0] if args and isinstance(args[0], int) else 0


def reason(error: BaseException) -> str:
    """Return what the server or its driver says."""
    cause = getattr(error, "orig", error)
    match cause.args:
        case (int(), str(text), *_):
            return text
    return str(cause) or "it does not answer"


def kind(error: BaseException) -> Kind:
    """Return what an error of the server, the driver or SQLAlchemy means."""
    code = number(error)
    if code in CONFLICTS:
        return Kind.CONFLICT
    if code in REFUSALS:
        return Kind.REFUSAL
    if code in SCHEMA:
        return Kind.SCHEMA
    lost = getattr(error, "connection_invalidated", False)
    return Kind.OUTAGE if lost or 2000 <= code < 3000 or code in OUTAGES else Kind.FAULT
