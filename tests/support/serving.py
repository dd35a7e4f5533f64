"""A server program under test: start it, wait until it listens, end it."""

import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

WITHIN = 120.0  # seconds; no start or end takes longer, even on a busy machine


@dataclass
class Serving:
    """A program that listens on 127.0.0.1 at `port`; `log` has all of its output."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """Signal it to end, by default like Ctrl-C; return its exit status."""
        self.process.send_signal(number)
        return self.process.wait(WITHIN)


@contextmanager
def serving(
    argv: Sequence[str | Path], port: int, environ: Mapping[str, str], cwd: Path, log: Path
) -> Iterator[Serving]:
    """Run `argv` until the block ends; enter the block once something listens at `port`.

    Raises ChildProcessError with what the program said, where it ends before.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv, cwd=cwd, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        _wait_until_listening(process, port, log)
        yield Serving(process, port, log)
    finally:
        process.terminate()
        try:
            process.wait(WITHIN)
        finally:
            process.kill()
            process.wait()


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Suspend a process until the block ends; enter the block once all its threads have stopped."""
    os.kill(pid, signal.SIGSTOP)
    try:
        while not all(_state(thread) == "T" for thread in Path(f"/proc/{pid}/task").iterdir()):
            time.sleep(0.01)
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _state(thread: Path) -> str:
    """Return the state of a thread: see proc_pid_stat(5)."""
    return (thread / "stat").read_text(errors="replace").rpartition(")")[2].split()[0]


def free_port() -> int:
    """Return a port of 127.0.0.1 at which nothing listens.

    It is below those that the system gives to connections: on a busy machine one of these may
    have it before the program listens.
    """
    while True:
        port = 10_000 + secrets.randbelow(20_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _wait_until_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + WITHIN
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return
    raise ChildProcessError(f"nothing listens at {port}: {log.read_text()}")
