"""The owner of a throwaway database: the name says which process made it, where and when.

{prefix}{begun}_{machine}_{pid}_{started}_{number}: 6 + 8 + 5 + 7 + 4 characters and four `_`
leave 30 for the prefix (64 in all: "Identifier Length Limits" in MySQL's manual).
"""

import functools
import hashlib
import os
import re
import time
from pathlib import Path
from typing import NamedTuple

from throwaway_mysql.errors import ServerError

LONGEST_PREFIX = 30
# No capitals: with lower_case_table_names a server lists names in lower case.
PREFIX = re.compile(rf"[a-z0-9_]{{1,{LONGEST_PREFIX - 1}}}_")
NAME = re.compile(r"([0-9a-z]{6})_([0-9a-f]{8})_([0-9a-z]{1,5})_([0-9a-z]{1,7})_([0-9a-z]{1,4})")
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
NUMBERS = 36**4  # of the databases of one owner
DAY = 24 * 3600  # seconds for which another machine's process counts as alive
ENDED = "ZX"  # states of an ended process that its parent has not reaped


class Owner(NamedTuple):
    """A process: when me() was first called (Unix time), its machine, id, and start in ticks."""

    begun: int
    machine: str
    pid: int
    started: int

    @classmethod
    def me(cls) -> "Owner":
        """Return this process."""
        return _of(os.getpid())

    def name(self, prefix: str, number: int) -> str:
        """Return the name of one of its databases."""
        if not PREFIX.fullmatch(prefix):
            raise ServerError(
                f"'{prefix}' cannot begin the names of throwaway databases: choose 2 to "
                f"{LONGEST_PREFIX} small letters (a to z), digits and '_', the last a '_'"
            )
        begun, pid, started, count = map(_base36, (self.begun, self.pid, self.started, number))
        return f"{prefix}{begun:0>6}_{self.machine}_{pid}_{started}_{count}"

    @property
    def here(self) -> bool:
        """Whether it is a process of this machine."""
        return self.machine == machine()

    @property
    def lives(self) -> bool:
        """Whether it is a process of this machine that still runs; true if unknown."""
        if not self.here:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:  # another user's process, which /proc may hide
            pass
        return _started(self.pid) in (None, self.started)

    def has_ended(self, now: int, seen: int = 0) -> bool:
        """Return whether it has; another machine's counts as ended a day after it was seen."""
        return not self.lives if self.here else now - max(self.begun, seen) >= DAY


def parse(name: str, prefix: str) -> Owner | None:
    """Return the owner that a database's name gives, or None if it gives none."""
    found = NAME.fullmatch(name.removeprefix(prefix)) if name.startswith(prefix) else None
    if not found:
        return None
    begun, machine, pid, started, _ = found.groups()
    return Owner(int(begun, 36), machine, int(pid, 36), int(started, 36))


@functools.cache
def machine() -> str:
    """Return an id of this boot of this machine, and of this container.

    Containers of one image share a machine id and, on one host, a boot id; their pid namespaces
    differ (pid_namespaces(7)).
    """
    files = map(Path, ("/etc/machine-id", "/proc/sys/kernel/random/boot_id"))
    marks = [os.uname().nodename, *(path.read_text() for path in files if path.exists())]
    namespace = Path("/proc/self/ns/pid")
    marks.append(str(namespace.readlink()) if namespace.exists() else "")
    return hashlib.sha256("\n".join(marks).encode()).hexdigest()[:8]


@functools.cache
def _of(pid: int) -> Owner:
    now = time.clock_gettime(time.CLOCK_REALTIME)  # tests may freeze time.time()
    return Owner(int(now), machine(), pid, _started(pid) or 0)


def _started(pid: int) -> int | None:
    """Return when a process started, 0 if it has ended, None if that is unknown."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    # proc_pid_stat(5): the second field, the name, may hold anything; the third is the state.
    state, *fields = text.rpartition(")")[2].split()
    return 0 if state in ENDED else int(fields[18])


def _base36(number: int) -> str:
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = DIGITS[digit] + text
    return text or "0"
