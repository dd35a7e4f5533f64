"""A server process: its command line, its start, its readiness, and why it ended."""

import os
import pwd
import re
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from harness import ServerError
from harness.login import Answer, Login, LoginError
from harness.program import Program

# For data that nobody misses after the machine: no commit waits for a disk, and buffers are
# small. Still each commit reaches the operating system, so a killed server loses nothing.
FAST = (
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-flush-method=nosync",
    "--innodb-doublewrite=0",
    "--innodb-buffer-pool-size=32M",
    "--performance-schema=0",
    "--max-connections=500",
)
SMALL_LOG = {"MariaDB": "--innodb-log-file-size=8M", "MySQL": "--innodb-redo-log-capacity=8M"}

READY_WITHIN = 60.0  # seconds; MySQL 9 on a slow disk takes a few

KNOWN_CAUSES = {
    r"No space left|[Dd]isk is full|errno:? 28\b|error 28\b": "the disk is full: make room",
    r"Address already in use": "its port is taken by something else: stop that, or set DB_PORT",
    r"Permission denied|[Ee]rrcode: 13": "it may not write to its data folder: check the owner",
}


def arguments(program: Program, data: Path, *more: str) -> list[str]:
    """Return the command line of a server on `data`: no option files, nothing secret."""
    argv = [
        str(program.path),
        "--no-defaults",  # must come first
        f"--datadir={data}",
        "--socket=mysqld.sock",  # relative to the data folder: a longer path than 107 bytes fails
        "--pid-file=mysqld.pid",
        "--skip-log-bin",
        *more,
    ]
    if program.family == "MySQL":
        argv.append("--mysqlx=OFF")
    return [*argv, *as_user()]


def forget_crash(data: Path) -> None:
    """Remove what a killed server leaves beside its data.

    MySQL does not start if the process whose id is in the socket's lock file lives, though
    after a restart of the machine that may be any process.
    """
    for name in ("mysqld.sock", "mysqld.sock.lock"):
        (data / name).unlink(missing_ok=True)


def tcp(host: str, port: int) -> tuple[str, str]:
    """Return the flags of a server that listens at `host` and `port`."""
    return f"--bind-address={'127.0.0.1' if host == 'localhost' else host}", f"--port={port}"


def fast(program: Program) -> tuple[str, ...]:
    """Return the flags of a server for tests."""
    return (*FAST, SMALL_LOG[program.family])


def start(argv: Sequence[str], log: Path, pass_fds: Sequence[int] = ()) -> subprocess.Popen[bytes]:
    """Start a server in a session of its own, so that Ctrl-C does not reach it."""
    with log.open("ab") as output:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=pass_fds,
        )


def wait_until_ready(
    process: subprocess.Popen[bytes], login: Login, log: Path, since: int = 0
) -> None:
    """Return once `login` gets an answer from the server; `since` is where its log begins.

    Raises ServerError where the server ends, refuses the account, or takes too long.
    """
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline:
        try:
            with login.connect(timeout=5) as connection, connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except LoginError as error:
            if error.answer is Answer.REFUSAL:
                raise
        else:
            return
        if process.poll() is not None:
            raise ServerError(f"the server did not start: {cause(log, since)}")
        time.sleep(0.01)
    raise ServerError(f"the server was not ready within {READY_WITHIN:.0f} s: see {log}")


def cause(log: Path, since: int = 0) -> str:
    """Say in one line why a server ended, from what it wrote to its log after `since` bytes."""
    with log.open("rb") as file:
        file.seek(since)
        text = file.read().decode(errors="replace")
    errors = [line.strip() for line in text.splitlines() if re.search("error|errcode", line, re.I)]
    for pattern, meaning in KNOWN_CAUSES.items():
        if any(re.search(pattern, line) for line in errors):
            return f"{meaning} ({log})"
    return f"{errors[0] if errors else 'it gave no reason'} ({log})"


def as_user() -> list[str]:
    """Both servers refuse to run as root unless they are told to."""
    return [f"--user={pwd.getpwuid(0).pw_name}"] if os.geteuid() == 0 else []
