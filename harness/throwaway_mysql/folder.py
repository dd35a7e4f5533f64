"""Folders of runs: claimed by a process, guarded, and swept where run and guard were killed."""

import fcntl
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

from throwaway_mysql import guard
from throwaway_mysql.errors import ServerError, one_line

TMPFS = Path("/dev/shm")  # noqa: S108 (mkdtemp makes the names)
OTHERS = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 (as above)
ROOM = 512 * 1024 * 1024  # bytes that must be free in memory; containers often have 64 MiB in all
LONGEST = 70  # bytes of their parent's path: a socket's must keep below 104 (macOS) with the rest
BEGIN = "throwaway-mysql-"  # what the names of the folders begin with
NAME = re.compile(rf"{BEGIN}[a-z0-9_]{{8}}({re.escape(guard.GONE)})?")  # as mkdtemp goes on
AT_ONCE = fcntl.LOCK_EX | fcntl.LOCK_NB

_claimed: set[Path] = set()  # this process's: to open `alive` there again would end its lock
_alone = threading.Lock()


class RunFolder:
    """A folder that lives as long as this process, or until close(); so does a server on it.

    It is in memory where there is room, or on disk where that is asked for. A file `kept` lets
    the folder outlive this process until its server ends. Raises ServerError.
    """

    def __init__(self, *, on_disk: bool = False) -> None:
        self._owner = os.getpid()
        with one_line("cannot start a server for the tests"):
            self.folder, self._descriptor = claim(_parent(on_disk=on_disk))
            try:
                self._guard = _start_guard(self.folder)
            except OSError:
                guard.clear(str(self.folder))
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the server on the folder and remove it, unless it is kept; do nothing twice.

        A forked child leaves it to its parent.
        """
        folder = str(self.folder)
        if os.getpid() != self._owner:
            self._guard.returncode = 0  # the parent waits for it
        elif self.folder in _claimed:
            if guard.is_kept(folder):
                self._guard.returncode = 0  # it goes on until the server ends
            else:
                guard.clear(folder)
                self._guard.kill()  # nothing is left to do for it
                self._guard.wait()
            with _alone:
                _claimed.discard(self.folder)
                os.close(self._descriptor)


def sweep_folders() -> None:
    """Remove this user's folders whose run was killed together with its guard."""
    for folder in run_folders():
        with _alone:
            if folder not in _claimed:
                _sweep(folder)


def run_folders() -> Iterator[Path]:
    """Yield this user's folders of runs, ended or not."""
    for parent in dict.fromkeys(path.resolve() for path in _parents()):
        with suppress(OSError):  # there is none, or it may not be read
            found = [path for path in parent.glob(f"{BEGIN}*") if NAME.fullmatch(path.name)]
            yield from filter(is_ours, found)


def is_ours(folder: Path) -> bool:
    """Tell whether it is a folder that only this user may enter."""
    try:
        status = folder.lstat()
    except OSError:  # it was removed meanwhile
        return False
    private = stat.S_ISDIR(status.st_mode) and not stat.S_IMODE(status.st_mode) & 0o077
    return private and status.st_uid == os.geteuid()


def has_run(folder: Path) -> bool:
    """Tell whether the folder's run lives."""
    with _alone:
        if folder in _claimed:
            return True
        try:
            with (folder / "alive").open("r+b") as file:
                fcntl.lockf(file, AT_ONCE)
        except BlockingIOError:
            return True
    return False


def claim(parent: Path) -> tuple[Path, int]:
    """Make a folder and hold its lock. Raises OSError."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=BEGIN, dir=parent))
        # A sweep may take it for a killed run's until the lock is there: then make another.
        with _alone, suppress(FileNotFoundError, BlockingIOError):
            descriptor = os.open(folder / "alive", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.lockf(descriptor, AT_ONCE)
                (folder / "alive").stat()
            except OSError:
                os.close(descriptor)
                raise
            _claimed.add(folder)
            return folder, descriptor


def _start_guard(folder: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-I", "-S", guard.__file__, folder],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,  # Ctrl-C is for the run, which then tears down
    )


def _sweep(folder: Path) -> None:
    if folder.suffix == guard.GONE:
        guard.clear(str(folder))
        return
    try:
        with (folder / "alive").open("r+b") as file:
            fcntl.lockf(file, AT_ONCE)
            if not (guard.is_kept(str(folder)) and guard.servers(str(folder))):
                guard.clear(str(folder))
    except FileNotFoundError:  # it is new, or its run was killed at once
        with suppress(OSError):
            folder.rmdir()
    except OSError:  # its run lives
        pass


def _parent(*, on_disk: bool) -> Path:
    """Return the folder for a new one."""
    for parent in _parents():
        path = parent.resolve()
        if parent == TMPFS and (on_disk or not _has_room(TMPFS)):
            continue
        if len(os.fsencode(path)) <= LONGEST and os.access(path, os.W_OK | os.X_OK):
            return path
    raise ServerError("no folder for temporary files can be written: set TMPDIR to one")


def _parents() -> list[Path]:
    """Return where folders may be, the best first."""
    return [TMPFS, Path(tempfile.gettempdir()), *OTHERS]


def _has_room(parent: Path) -> bool:
    try:
        return shutil.disk_usage(parent).free >= ROOM
    except OSError:
        return False
