"""Run folders: named after their process, guarded, and swept if process and guard were killed."""

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
LONGEST = 47  # bytes of the parent's path: a socket's whole path must be below 104 (macOS)
BEGIN = "throwaway_mysql_"  # prefix of the folders' names

_numbers = itertools.count()


class RunFolder:
    """A folder that lasts until close() or this process's end, and so does a server on it.

    It is in memory if there is room and `on_disk` is not set. With a file `kept`, the folder lasts
    until its server ends. Raises ServerError.
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
        """End the server on the folder and remove the folder, unless it is kept.

        In a forked child this does nothing to either.
        """
        folder = str(self.folder)
        if os.getpid() != self._owner or guard.is_kept(folder):
            self._guard.returncode = 0  # it goes on
        else:
            guard.clear(folder)
            self._guard.kill()  # it has nothing left to do
            self._guard.wait()


def sweep_folders() -> None:
    """Remove this user's folders whose run was killed together with its guard."""
    now = int(time.clock_gettime(time.CLOCK_REALTIME))  # tests may freeze time.time()
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
    """Hold a folder's lock; other processes and threads wait for it."""
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
    """Return the parent folder for a new run folder."""
    in_memory = not on_disk and TMPFS.is_dir() and shutil.disk_usage(TMPFS).free >= ROOM
    for parent in _parents() if in_memory else _parents()[1:]:
        path = parent.resolve()
        if len(os.fsencode(path)) <= LONGEST and os.access(path, os.W_OK | os.X_OK):
            return path
    raise ServerError("no folder for temporary files can be written: set TMPDIR to one")


def _parents() -> list[Path]:
    """Return the possible parents of run folders, best first."""
    return [TMPFS, Path(tempfile.gettempdir()), *OTHERS]
