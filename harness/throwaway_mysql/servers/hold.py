"""The locks on a folder that say whether its run and its guard live.

A run has a record lock on the file `alive`, which ends with its process and is not handed to
forked children; the guard has one of flock(2) on the file `guard`, from its parent on.
"""

import errno
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

AT_ONCE = fcntl.LOCK_EX | fcntl.LOCK_NB
LOOK_WITHIN = 1.0  # seconds for which a guard or a sweep may have a run's lock, to look at it
POLL = 0.005

_held: set[tuple[int, int]] = set()  # the files that this process has Holds on
_alone = threading.Lock()


class Hold:
    """What keeps the guard of `folder` waiting: until close(), or the end of this process.

    Forked children do not have it. Open the file `alive` nowhere else in this process:
    closing any descriptor of it ends the lock (POSIX, fcntl). Raises FileNotFoundError or
    BlockingIOError where a sweep took the folder for one of a run that has ended.
    """

    def __init__(self, folder: Path) -> None:
        alive = folder / "alive"
        self._process = os.getpid()
        with _alone:
            self._descriptor = os.open(alive, os.O_RDWR | os.O_CREAT, 0o600)
            self._file = _identity(os.fstat(self._descriptor))
            _held.add(self._file)
        try:
            fcntl.lockf(self._descriptor, AT_ONCE)
            alive.stat()  # or it was removed before the lock
        except OSError:
            self.close()
            raise

    @property
    def ours(self) -> bool:
        """Whether it lasts, and is this process's."""
        return self._descriptor >= 0 and self._process == os.getpid()

    def close(self) -> None:
        """Let the guard end everything; harmless when done again or in a forked child."""
        if self.ours:
            with _alone:
                os.close(self._descriptor)
                _held.discard(self._file)
            self._descriptor = -1


@contextmanager
def abandoned(folder: Path, within: float = 0) -> Iterator[bool]:
    """Tell whether the folder's run and guard have both ended; nobody else is told so meanwhile.

    A folder that no run ever had is not abandoned, but new. The looks of others, such as a
    sweep's, are awaited for `within` seconds.
    """
    with ExitStack() as stack:
        yield _is_abandoned(folder, stack, within)


def has_run(folder: Path) -> bool:
    """Tell whether the folder's run lives."""
    try:
        with ExitStack() as stack:
            _take_alive(folder, stack, LOOK_WITHIN)
    except BlockingIOError:
        return True
    except FileNotFoundError:  # it has just been removed
        return False
    return False


def _is_abandoned(folder: Path, stack: ExitStack, within: float) -> bool:
    try:
        _take_alive(folder, stack, within)
        # Whoever looks has the other lock before: now only a guard has this one.
        if (folder / "guard").exists():
            fcntl.flock(stack.enter_context((folder / "guard").open("rb")), AT_ONCE)
    except OSError:  # it has one of them, or is just being removed
        return False
    return True


def _take_alive(folder: Path, stack: ExitStack, within: float) -> None:
    """Take a run's lock until the stack ends; raises OSError where someone keeps it so long."""
    deadline = time.monotonic() + within
    while True:
        with ExitStack() as attempt:
            try:
                _try_alive(folder, attempt)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise
            else:
                stack.push(attempt.pop_all())
                return
        time.sleep(POLL)


def _try_alive(folder: Path, stack: ExitStack) -> None:
    alive = folder / "alive"
    stack.enter_context(_alone)
    if _identity(alive.stat()) in _held:  # to open it would end that
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), str(alive))
    fcntl.lockf(stack.enter_context(alive.open("r+b")), AT_ONCE)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def await_guard(folder: Path) -> None:
    """Wait until the folder's guard, if it ever had one, has ended."""
    with suppress(FileNotFoundError), (folder / "guard").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)


def is_guarded(folder: Path) -> bool:
    """Tell whether the folder has a guard; for one moment, a sweep that looks is taken for it."""
    with suppress(FileNotFoundError), (folder / "guard").open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
