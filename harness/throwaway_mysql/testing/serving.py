"""A server program under test: started, awaited until it listens, ended."""

import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LISTENS_WITHIN = 30.0  # seconds
ENDS_WITHIN = 15.0


@dataclass
class Serving:
    """A program that listens on 127.0.0.1 at `port`; `log` has all that it says."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def end(self) -> int:
        """Ask it to end as Ctrl-C in a terminal does; return its exit status."""
        self.process.send_signal(2)
        return self.process.wait(ENDS_WITHIN)


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
            process.wait(ENDS_WITHIN)
        finally:
            process.kill()
            process.wait()


def _wait_until_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + LISTENS_WITHIN
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return
    raise ChildProcessError(f"nothing listens at {port}: {log.read_text()}")
