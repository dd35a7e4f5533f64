"""Who made a throwaway database: its name, and the process behind it."""

import functools
import hashlib
import os
import re
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from throwaway_mysql import ServerError

# {prefix}{begun}_{random}_{worker}_{number}: 33 + 12 + 1 + 6 + 1 + 5 + 1 + 5 signs are the 64
# that a name may have ("Identifier Length Limits" in MySQL's manual).
MOST_PREFIX = 33
# No capitals: with lower_case_table_names a server tells of names in lower case.
PREFIX = rf"[a-z0-9_]{{1,{MOST_PREFIX - 1}}}_"
MOST_NUMBER = 99_999
BEGUN = "%y%m%d%H%M%S"
RANDOM = "abcdefghijklmnopqrstuvwxyz0123456789"
TOKEN = r"[0-9]{12}_[a-z0-9]{6}"  # noqa: S105 (no secret: when a run began, and its random part)
WORKER = r"[a-z0-9]{1,5}"
ENDED = ("Z", "X")  # a process that only its parent still knows of


class Name(NamedTuple):
    """The name of a throwaway database: whose it is, and since when.

    `token` is one for all workers of a run, `worker` is `main` or xdist's `gw0`, ...
    """

    prefix: str
    token: str
    worker: str
    number: int

    def __str__(self) -> str:
        return f"{self.prefix}{self.token}_{self.worker}_{self.number}"

    @property
    def begun(self) -> datetime:
        """When the run began, by its own clock."""
        return _begun(self.token)

    @property
    def lock(self) -> str:
        """The lock that the run's worker holds as long as it lives."""
        return lock_name(self.token, self.worker)


def parse(name: str, prefix: str) -> Name | None:
    """Return whose database `name` is, or None where no run with this prefix made it."""
    begin = re.escape(prefix)
    found = re.fullmatch(rf"{begin}({TOKEN})_({WORKER})_([1-9][0-9]{{0,4}})", name)
    if not found:
        return None
    try:
        _begun(found[1])
    except ValueError:
        return None
    return Name(prefix, found[1], found[2], int(found[3]))


def lock_name(token: str, worker: str) -> str:
    """Return the name of the lock of one worker of a run (at most 64 signs)."""
    return f"throwaway-mysql {token}_{worker}"


def lock_of(name: str, prefix: str) -> str:
    """Return the lock of the worker that made the database `name`, "" where none made it."""
    parsed = parse(name, prefix)
    return parsed.lock if parsed else ""


def new_token() -> str:
    """Return what tells a run that begins now from all others."""
    random = "".join(secrets.choice(RANDOM) for _ in range(6))
    return f"{datetime.now(UTC):{BEGUN}}_{random}"


def check(prefix: str, token: str, worker: str) -> None:
    """Raise ServerError where names could not be made of these parts, or not be told apart."""
    if not isinstance(prefix, str) or not re.fullmatch(PREFIX, prefix):
        raise ServerError(
            f"{prefix!r} cannot begin the names of throwaway databases: choose 2 to {MOST_PREFIX} "
            "small letters (a to z), digits and '_', the last a '_'"
        )
    if parse(f"{prefix}{token}_{worker}_1", prefix) is None:
        raise ServerError(
            f"'{token}' with '{worker}' does not name a run: take the token of Run.begin(), "
            "and a worker of 1 to 5 small letters and digits"
        )


class Maker(NamedTuple):
    """A process, told from all others: `started` is in clock ticks since its machine began."""

    machine: str
    pid: int
    started: int

    @classmethod
    def me(cls) -> "Maker":
        """Return this process."""
        return cls.of(os.getpid())

    @classmethod
    def of(cls, pid: int) -> "Maker":
        """Return a process of this machine."""
        return cls(machine(), pid, _started(pid) or 0)

    @property
    def here(self) -> bool:
        """Whether this process can tell if that one still runs."""
        return bool(self.machine) and self.machine == machine()

    @property
    def runs(self) -> bool:
        """Whether it still runs; means something only where `here`."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:  # another user's, whom /proc may hide
            pass
        return _started(self.pid) in (None, self.started)


@functools.cache
def machine() -> str:
    """Return what tells this machine since its start from others, or "" where that is unknown.

    Containers of one image share the machine's id and, on one host, its start: what tells
    them apart is where their process ids count (pid_namespaces(7)).
    """
    try:
        marks = [
            Path("/etc/machine-id").read_text() if Path("/etc/machine-id").exists() else "",
            Path("/proc/sys/kernel/random/boot_id").read_text(),
            str(Path("/proc/self/ns/pid").readlink()),
        ]
    except OSError:
        return ""
    return hashlib.sha256("\n".join(marks).encode()).hexdigest()[:16]


def _begun(token: str) -> datetime:
    return datetime.strptime(token[:12], BEGUN).replace(tzinfo=UTC)


def _started(pid: int) -> int | None:
    """Return when a process started, 0 where it has ended, None where that is unknown."""
    try:
        said = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    # proc_pid_stat(5): the name, the second field, may hold anything; the state is the third.
    state, *fields = said.rpartition(")")[2].split()
    return 0 if state in ENDED else int(fields[18])
