"""What errors of the server and its driver mean, decided here alone.

An error number that is listed here has the kind given here. For other errors, the SQLSTATE's class
decides if it is in CLASSES; the driver's own errors are lost connections; the rest are faults of
the statement, which would fail again.

Sources, searched for what a running program can meet: all errors of MySQL 9.7 (its table
performance_schema.events_errors_summary_global_by_error; "Server Error Message Reference" in the
manual), of MariaDB 10.11 and 11.8 (errmsg.sys; "MariaDB Error Codes"), and of the driver ("Client
Error Message Reference", 2000 to 2999). Above 1899, the two servers use the same number for
different errors; where both can occur, they are of the same kind.
"""

from enum import Enum, auto


class Kind(Enum):
    """What to do about an error."""

    OUTAGE = auto()  # the server is away or cannot serve now: try again later
    CONFLICT = auto()  # another transaction was in the way: try again
    REFUSAL = auto()  # of the account, TLS, the host or the database: waiting does not help
    SCHEMA = auto()  # the tables do not match this program: migrate
    FAULT = auto()  # the statement is at fault, and would fail again


CONFLICTS = {
    *(1205, 1213, 1689, 3572),  # a lock: timeout, deadlock, aborted, NOWAIT
    *(3058, 3132, 3133),  # the same for GET_LOCK and MySQL's locking service
    1020,  # a row has changed since it was read: MariaDB's innodb_snapshot_isolation
    *(1412, 1615),  # the table was changed meanwhile
    *(1613, 1614, 3101),  # rolled back: an XA branch, or by the group at COMMIT
}
OUTAGES = {
    *(1040, 1041, 1135, 1203, 1226, 4081),  # too many connections, in all or of the account
    *(1021, 1114, 1878, 3019, 3675, 3884, 4139),  # a disk, a table or temporary space is full
    *(1037, 1206, 1637, 3015, 3044, 3950, 3985),  # no memory; too many locks or transactions
    *(1004, 1015, 1016, 1017, 1023, 1024, 1026, 1030, 1180, 1181, 1296, 1297, 1810, 1811),  # files
    *(1036, 1290, 1792, 1836, 1874, 1881, 3989),  # read-only, as a replica or in trouble
    *(1028, 1317, 1927, 1969, 3024, 3169),  # killed by somebody, or by a time limit
    *(1047, 1053, 1129, 3032, 3168, 4031, 6400),  # no majority, stopping, blocked, offline, hung up
    *(1964, 3100, 3781, 3782, 3783, 3796, 3797, 3798, 3799),  # of a cluster or a group
    *(1534, 1593, 1598, 1661, 1662, 1663, 1664, 1665, 1666, 1667, 1844),  # of the binary log
    # A table, an index or a tablespace is damaged, or its encryption key is missing.
    *(1032, 1033, 1034, 1035, 1194, 1195, 1712, 1812, 1814, 1817, 1877, 1932),
    *(3000, 3003, 3185, 3510),
}
SCHEMA = {
    *(1054, 1109, 1146, 1735),  # no such column, table, partition
    *(1176, 1191, 1305, 1356),  # no such index or routine; a view of something missing
}
FAULTS = {1153, 3068}  # too large a packet; its SQLSTATE says that the connection was lost
CLASSES = {
    "08": Kind.OUTAGE,  # of the connection
    "28": Kind.REFUSAL,  # of the account
    "40": Kind.CONFLICT,  # rolled back
    "XA1": Kind.CONFLICT,
}

# Refusals, and the remedy for each.
ACCOUNT = (
    "DB_USERNAME and DB_PASSWORD name the account, which may also be locked, expired, or one that"
    " requires TLS (DB_TLS) or a certificate (DB_TLS_CERT); `quart mysql setup` makes it."
)
PLUGIN = (
    "The driver cannot log in as this account does. ALTER USER can let it use"
    " caching_sha2_password on MySQL, mysql_native_password on MariaDB."
)
HOST = "The server takes this account from other hosts only: CREATE USER names the host."
DATABASE = "`quart mysql setup` makes the database that DATABASE_NAME names, and its account."
TLS_WANTED = "The server takes TLS only: set DB_TLS to verified, or to preferred."
TLS = "DB_TLS_CA names the authorities that are trusted; DB_TLS can be off, or preferred."
GRANT = "The account lacks a privilege: `quart mysql setup` grants all that the app needs."
REFUSALS = {
    **dict.fromkeys((1045, 1698, 1820, 1862, 1873, 3118, 3955, 4150, 4151, 6126, 6127), ACCOUNT),
    **dict.fromkeys((1251, 1275, 1524, 2059, 2061), PLUGIN),
    **dict.fromkeys((1130,), HOST),
    **dict.fromkeys((1044, 1046, 1049, 1102, 3879), DATABASE),
    **dict.fromkeys((1142, 1143, 1227, 1370, 1449, 3530, 6038), GRANT),
    3159: TLS_WANTED,
    2026: TLS,
}
NOBODY = "`quart mysql start` starts a server."
NOBODY_ANSWERS = {0, 2003}

KINDS = {
    **dict.fromkeys(CONFLICTS, Kind.CONFLICT),
    **dict.fromkeys(OUTAGES, Kind.OUTAGE),
    **dict.fromkeys(SCHEMA, Kind.SCHEMA),
    **dict.fromkeys(FAULTS, Kind.FAULT),
    **dict.fromkeys(REFUSALS, Kind.REFUSAL),
}


def number(error: BaseException) -> int:
    """Return an error's MySQL number, or 0 if it has none."""
    args = getattr(error, "orig", error).args
    return args[0] if args and isinstance(args[0], int) else 0


def reason(error: BaseException) -> str:
    """Return what the server or its driver says."""
    cause = getattr(error, "orig", error)
    match cause.args:
        case (int(), str(text), *_):
            return text
    return str(cause) or "it does not answer"


def remedy(error: BaseException) -> str:
    """Return what helps after a failed login, or nothing."""
    code = number(error)
    if kind(error) is Kind.REFUSAL:
        return REFUSALS.get(code, ACCOUNT)
    return NOBODY if code in NOBODY_ANSWERS else ""


def kind(error: BaseException) -> Kind:
    """Return what an error of the server, the driver or SQLAlchemy means."""
    code = number(error)
    if code in KINDS:
        return KINDS[code]
    state = getattr(getattr(error, "orig", error), "sqlstate", None) or ""
    for begin, meant in CLASSES.items():
        if state.startswith(begin):
            return meant
    lost = getattr(error, "connection_invalidated", False)
    return Kind.OUTAGE if lost or 2000 <= code < 3000 else Kind.FAULT
