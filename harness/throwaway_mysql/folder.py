"""Folders of runs: named after their process, guarded, and swept where both were killed."""

import fcntl
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from throwaway_mysql import guard
from throwaway_mysql.errors import ServerError, one_line
from throwaway_mysql.owner import Owner, parse

TMPFS = Path("/dev/shm")  # noqa: S108 (no one else has such a name there)
OTHERS = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 (as above)
ROOM = 512 * 1024 * 1024  # bytes that must be free in memory; containers often have 64 MiB in all
LONGEST = 47  # bytes of their parent's path: a socket's must keep below 104 (macOS) with the rest
BEGIN = "throwaway_mysql_"  # what the names of the folders begin with

_numbers = itertools.count()


class RunFolder:
    """A folder that lives as long as this process, or until close(); so does a server on it.

    It is in memory where there is room, or on disk where that is asked for. A file `kept` lets
    the folder outlive this process until its server ends. Raises ServerError.
    """

    def __init__(self, *, on_disk: bool = False) -> None:
        self._owner = os.getpid()
        with one_line("cannot start a server for the tests"):
            self.folder = _parent(on_disk=on_disk) / Owner.me().name(BEGIN, next(_numbers))
            self.folder.mkdir(mode=0o700)
            try:
                self._guard = _start_guard(self.folder)
            except OSError:
                self.folder.rmdir()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the server on the folder and remove it, unless it is kept.

        A forked child leaves it to its parent.
        """
        folder = str(self.folder)
        if os.getpid() != self._owner or guard.is_kept(folder):
            self._guard.returncode = 0  # it goes on
        else:
            guard.clear(folder)
            self._guard.kill()  # nothing is left to do for it
            self._guard.wait()


def sweep_folders() -> None:
    """Remove this user's folders whose run was killed together with its guard."""
    now = int(time.clock_gettime(time.CLOCK_REALTIME))  # unlike time.time(), not one of a test's
    for parent in {path.resolve() for path in _parents()}:
        for folder in map(str, parent.glob(f"{BEGIN}*")):
            owner = parse(Path(folder.removesuffix(guard.GONE)).name, BEGIN)
            with suppress(OSError):  # it was removed meanwhile
                ended = owner is not None and owner.has_ended(now)
                ours = os.lstat(folder).st_uid == os.geteuid()
                if ended and ours and not (guard.is_kept(folder) and guard.servers(folder)):
                    guard.clear(folder)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Let one process or thread at a time do something with a folder; the others wait."""
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _start_guard(folder: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-I", "-S", guard.__file__, folder, str(os.getpid())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,  # Ctrl-C is for the run, which then tears down
    )


def _parent(*, on_disk: bool) -> Path:
    """Return the folder for a new one."""
    in_memory = not on_disk and TMPFS.is_dir() and shutil.disk_usage(TMPFS).free >= ROOM
    for parent in _parents() if in_memory else _parents()[1:]:
        path = parent.resolve()
        if len(os.fsencode(path)) <= LONGEST and os.access(path, os.W_OK | os.X_OK):
            return path
    raise ServerError("no folder for temporary files can be written: set TMPDIR to one")


def _parents() -> list[Path]:
    """Return where folders may be, the best first."""
    return [TMPFS, Path(tempfile.gettempdir()), *OTHERS]
