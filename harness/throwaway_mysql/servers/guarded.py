"""The folder of a run, which ends with it, and the programs that run on that folder."""

import fcntl
import os
import secrets
import select
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from signal import SIGKILL, Signals
from typing import IO

from throwaway_mysql import LoggedError, ServerError
from throwaway_mysql.servers import guard
from throwaway_mysql.servers.hold import Hold

LONGEST_FOLDER = 90  # bytes; a socket in it must keep below 108
SHORT_PLACES = ("/tmp", "/dev/shm", "/var/tmp")  # noqa: S108 (the names there are random)
# How memory that is no longer used goes back to the system, with glibc's and Google's malloc.
FRUGAL = {
    "MALLOC_ARENA_MAX": "2",
    "TCMALLOC_AGGRESSIVE_DECOMMIT": "1",
    "TCMALLOC_MAX_TOTAL_THREAD_CACHE_BYTES": "524288",  # 6 MB with MySQL
}
NOTE = "folders"  # the file that names the folders which go with the one that it is in


class Guarded:
    """A folder with a guard, which runs one program after the other there.

    The guard ends the program and removes the folder once nobody has a Hold on it.
    `sockets` is a folder whose path is short enough for sockets; it goes with the other, and
    so do those in `more`, in which the guard itself keeps nothing open. The file `folders` names
    them for a sweep, where the guard is killed as well.
    """

    def __init__(self, folder: Path, log: Path, more: Sequence[Path] = ()) -> None:
        self.folder, self.log = folder, log
        self.sockets = _socket_folder(folder, more)
        self._folders = [str(path) for path in dict.fromkeys((folder, self.sockets, *more))]
        self._owner = os.getpid()
        self.pid = 0  # of the program; 0 as long as none is known
        self._status: int | None = None
        self._process = self._begin()
        self._input: IO[bytes] = self._process.stdin  # type: ignore[assignment]  # a PIPE
        self._output: IO[bytes] = self._process.stdout  # type: ignore[assignment]  # a PIPE

    def start(self, argv: Sequence[str], source: Path = Path(os.devnull)) -> None:
        """Start a program that reads `source`, after the end of the one before.

        Raises LoggedError where the guard was killed meanwhile.
        """
        self.pid, self._status = 0, None
        self._command(b"\0".join(map(os.fsencode, (str(source), *argv))))
        pid = self._number()
        if pid is None:
            raise LoggedError("the guard of the server was killed: run it again", self.log)
        self.pid = pid

    def poll(self, seconds: float = 0) -> int | None:
        """Return the program's exit status, or None where it still runs after so long."""
        if self._status is None:
            poll = select.poll()  # select() fails where many files are open
            poll.register(self._output, select.POLLIN)
            if poll.poll(seconds * 1000):
                self._status = self._end()
        return self._status

    def wait(self, seconds: float) -> int:
        """Wait for the program's own end, and return its exit status."""
        status = self.poll(seconds)
        if status is None:
            raise LoggedError(f"a program did not end within {seconds:.0f} s", self.log)
        return status

    def signal(self, number: Signals) -> None:
        """Send the program a signal, unless it has ended: its id may be another's by now."""
        if self.poll() is None:
            self._kill(number)

    def let_go(self) -> None:
        """Leave guard and program to whoever has the Hold."""
        self._close()
        self._process.returncode = 0  # it is meant to outlive us

    def close(self) -> None:
        """Wait, after the Hold's end, until the guard has ended all.

        In a forked child, which has no Hold, this leaves all to the parent.
        """
        if os.getpid() != self._owner:
            self.let_go()
            return
        if self._process.wait() != 0 and self._status is None:  # the guard was killed
            self._kill(SIGKILL)
        self._close()
        guard.remove(self._folders)

    def _begin(self) -> subprocess.Popen[bytes]:
        with (self.folder / "guard").open("ab") as lock, self.log.open("ab") as output:
            fcntl.flock(lock, fcntl.LOCK_EX)
            argv = [sys.executable, "-I", "-S", guard.__file__, str(lock.fileno())]
            return subprocess.Popen(
                [*argv, *self._folders],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                bufsize=0,
                cwd="/",
                env=os.environ | FRUGAL,
                pass_fds=[lock.fileno()],
                start_new_session=True,  # Ctrl-C is for the run, which then tears down
            )

    def _command(self, command: bytes) -> None:
        with suppress(BrokenPipeError):  # the guard was killed: it says nothing more
            self._input.write(b"%d\n" % len(command) + command)

    def _number(self) -> int | None:
        """Read what the guard says; None where it was killed."""
        line = self._output.readline()
        return int(line) if line else None

    def _end(self) -> int:
        """Read the exit status; where the guard was killed, the program must not outlive it."""
        status = self._number()
        if status is None:
            self._kill(SIGKILL)
            return -SIGKILL
        return status

    def _kill(self, number: Signals) -> None:
        if self.pid > 0:  # else it would be for this process's own group
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def _close(self) -> None:
        self._input.close()
        self._output.close()


@contextmanager
def guarding(
    folder: Path, log: Path, more: Sequence[Path] = (), hold: Hold | None = None
) -> Iterator[Guarded]:
    """Guard a folder; it and what runs there end with the block, or with this process."""
    with closing(hold or Hold(folder)) as hold:
        guarded = Guarded(folder, log, more)
        try:
            yield guarded
        finally:
            hold.close()
            guarded.close()


def noted(folder: Path) -> list[Path]:
    """Return which folders go with one."""
    note = folder / NOTE
    if not note.exists():
        return []
    return [Path(os.fsdecode(name)) for name in note.read_bytes().split(b"\0") if name]


def _socket_folder(folder: Path, more: Sequence[Path]) -> Path:
    """Return the folder, or one with a shorter path where that is too long for sockets.

    What else goes with the folder is noted there, this before it is made.
    """
    if len(os.fsencode(folder)) <= LONGEST_FOLDER:
        _note(folder, more)
        return folder
    for place in SHORT_PLACES:
        sockets = Path(place, f"mysql-{secrets.token_hex(8)}")
        _note(folder, (*more, sockets))
        with suppress(OSError):
            sockets.mkdir(mode=0o700)
            return sockets
    raise ServerError(f"{folder} is too long for a socket: set TMPDIR to a shorter folder")


def _note(folder: Path, more: Sequence[Path]) -> None:
    if more:
        (folder / NOTE).write_bytes(b"\0".join(map(os.fsencode, more)))
