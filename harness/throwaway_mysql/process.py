"""A server process: its command line, its start, when it is ready, and why it ended."""

import os
import pwd
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from throwaway_mysql.errors import FULL, ServerError
from throwaway_mysql.guard import now
from throwaway_mysql.login import Answer, Login, LoginError
from throwaway_mysql.program import Program

# For data that need not survive a crash of the machine: no commit waits for the disk, and buffers
# are small. Commits still reach the operating system, so a killed server loses nothing.
THROWAWAY = (
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-flush-method=nosync",
    "--innodb-doublewrite=0",
    "--innodb-buffer-pool-size=16M",  # MariaDB fills a larger one: 15 MB
    "--performance-schema=0",
    "--max-connections=500",
    # Less to set up at the start. Servers ignore unknown options that begin with --loose.
    "--key-buffer-size=1M",  # 5 ms, 23 MB
    "--loose-innodb-use-native-aio=0",  # with many servers the system runs out of it
    "--loose-innodb-read-io-threads=1",
    "--loose-innodb-write-io-threads=1",
    "--loose-innodb-purge-threads=1",
    "--loose-innodb-buffer-pool-load-at-startup=0",  # MySQL logs an error: there is nothing yet
    "--loose-innodb-buffer-pool-dump-at-shutdown=0",
)
FAMILY = {
    "MariaDB": (
        "--innodb-log-file-size=8M",
        "--aria-pagecache-buffer-size=8M",  # 6 MB
        "--innodb-autoextend-increment=4",  # undo logs make ibdata1 grow: 54 MB of files
        "--loose-skip-ssl",  # 11.4 makes a certificate at each start
    ),
    "MySQL": (
        "--loose-innodb-redo-log-capacity=8M",
        "--innodb-log-buffer-size=2M",  # 62 MB
        "--loose-innodb-rollback-segments=8",  # 8 MB of files, 60 ms
        # A thread that asked information_schema keeps memory for its answers: 20 MB in all.
        "--loose-temptable-max-ram=2M",
        "--loose-innodb-parallel-read-threads=1",
        "--table-open-cache-instances=1",
        "--innodb-stats-persistent=0",  # two tables of the server's own to write to for each table
    ),
}
# Make glibc's and Google's malloc return unused memory to the system.
FRUGAL = {
    "MALLOC_ARENA_MAX": "2",
    "TCMALLOC_AGGRESSIVE_DECOMMIT": "1",
    "TCMALLOC_MAX_TOTAL_THREAD_CACHE_BYTES": "524288",  # 6 MB with MySQL
}

READY_WITHIN = 60.0  # seconds; MySQL 9 on a slow disk takes a few
ENDED_WITHIN = 120.0  # seconds
LOOK = 0.5  # seconds between checks of the log
POLL = 0.002  # seconds; a refused attempt takes a tenth of a millisecond

WAITS_FOR_ROOM = "aiting for someone to free"
NO_ROOM = re.compile(r"No space left|[Dd]isk is full|errno:? 28\b|error 28\b")


def arguments(program: Program, data: Path, *more: str) -> list[str]:
    """Return the command line of a server on `data`, without option files or secrets."""
    argv = [
        str(program.path),
        "--no-defaults",  # must come first
        f"--datadir={data}",
        "--socket=../sock",  # relative to the data folder: a path over 107 bytes fails
        "--pid-file=mysqld.pid",
        # Not /tmp: MariaDB, when it starts, removes all temporary tables there, others' too.
        f"--tmpdir={data.with_name('tmp')}",
        "--skip-log-bin",
        "--character-set-server=utf8mb4",  # MariaDB's own is latin1
        *more,
    ]
    if program.family == "MySQL":
        argv.append("--loose-mysqlx=OFF")  # 5.7, and some builds, have no such plugin
    if os.geteuid() == 0:  # both refuse to run as root without --user
        argv.append(f"--user={pwd.getpwuid(0).pw_name}")
    return argv


def throwaway_flags(program: Program) -> tuple[str, ...]:
    """Return the flags of a throwaway server."""
    return (*THROWAWAY, *FAMILY[program.family])


def make_ready(data: Path) -> None:
    """Make what a server needs next to its data, and remove what a killed one left.

    MySQL does not start if the process id in the socket's lock file is in use, though after a
    reboot it may be any process's.
    """
    data.with_name("tmp").mkdir(mode=0o700, exist_ok=True)
    for name in ("sock", "sock.lock"):
        data.with_name(name).unlink(missing_ok=True)


def start(
    argv: Sequence[str], log: Path, source: Path = Path(os.devnull)
) -> "subprocess.Popen[bytes]":
    """Start a server in a session of its own, so that Ctrl-C does not reach it."""
    with log.open("ab") as output, source.open("rb") as commands:
        return subprocess.Popen(
            argv,
            stdin=commands,
            stdout=output,
            stderr=output,
            env=os.environ | FRUGAL,
            start_new_session=True,
        )


def wait_until_ready(
    process: "subprocess.Popen[bytes]", login: Login, log: Path, since: int
) -> None:
    """Return once the server answers `login`; its log starts at byte `since` of the file.

    Raises ServerError if the server ends, takes too long, or lets nobody in.
    """
    deadline, look = now() + READY_WITHIN, now() + LOOK
    while now() < deadline:
        try:
            login.connect(timeout=5).close()
        except LoginError as error:
            if error.answer is Answer.UNABLE:
                raise
        else:
            return
        if now() > look:
            refuse_full_disk(log, since)
            look += LOOK
        if process.poll() is not None:
            raise ServerError(f"the server did not start: {cause(log, since, process.returncode)}")
        time.sleep(POLL)
    raise ServerError(f"the server was not ready within {READY_WITHIN:.0f} s: {cause(log, since)}")


def wait_for_end(process: "subprocess.Popen[bytes]", log: Path, what: str) -> None:
    """Wait until a program ends. Raises ServerError, with `what`, if it fails or takes too long."""
    deadline = now() + ENDED_WITHIN
    while process.poll() is None:
        if now() > deadline:
            raise ServerError(f"{what} within {ENDED_WITHIN:.0f} s")
        with suppress(subprocess.TimeoutExpired):
            process.wait(LOOK)
        refuse_full_disk(log)
    if process.returncode:
        raise ServerError(f"{what}: {cause(log, status=process.returncode)}")


def refuse_full_disk(log: Path, since: int = 0) -> None:
    """Raise ServerError if a server waits for free disk space: MariaDB would wait forever."""
    if WAITS_FOR_ROOM in _read(log, since):
        raise ServerError(FULL)


def log_size(log: Path) -> int:
    """Return a log's size in bytes; 0 if it does not exist yet."""
    return log.stat().st_size if log.exists() else 0


def cause(log: Path, since: int = 0, status: int = 0) -> str:
    """Return in one line why a server ended, from its log after `since` bytes and its status."""
    if shutil.disk_usage(log.parent).free < 4096:
        return f"{FULL} ({log.parent})"  # the log may be cut off
    lines = [line.strip() for line in _read(log, since).splitlines() if line.strip()]
    errors = [line for line in lines if re.search("error|errcode|got signal", line, re.I)]
    if any(map(NO_ROOM.search, errors)):
        return FULL
    if errors:
        return errors[0]
    if status < 0:
        return f"it was ended by signal {-status}"
    return lines[-1] if lines else "it gave no reason"


def _read(log: Path, since: int) -> str:
    with log.open("rb") as file:
        file.seek(since)
        return file.read().decode(errors="replace")
