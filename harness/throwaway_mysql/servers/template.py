"""Data folders of new servers, made once for a program and its options and kept.

A template is one file, moved into place whole and with a digest inside: half of one or a
damaged one is never used.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from throwaway_mysql import cache
from throwaway_mysql.accounts import set_root_password
from throwaway_mysql.servers.datadir import initialise
from throwaway_mysql.servers.guarded import Guarded
from throwaway_mysql.servers.image import DamagedError, pack, unpack
from throwaway_mysql.servers.program import Program

RECIPE = 1  # to be raised when what is in a template changes
# What each server makes anew: its name in a replication, and its memory of hot pages.
SINGLE = ("auto.cnf", "ib_buffer_pool", "ibtmp1")


def install(program: Program, flags: Sequence[str], guarded: Guarded, data: Path) -> bool:
    """Make the data folder of a new server, whose root has no password yet.

    It comes from a template if there is a good one, else it becomes one. `data` is in a
    folder of `guarded`. Returns whether it came from one. Raises ServerError and OSError.
    """
    image = _image(program, flags)
    if image and _installed(image, data):
        return True
    with _alone(image):
        if image and _installed(image, data):  # another was quicker
            return True
        _build(program, flags, guarded, data)
        if image:
            cache.keep(image, lambda part: pack(data, part))
    return False


def _image(program: Program, flags: Sequence[str]) -> Path | None:
    """Return where the template for a program and its options is, or should be.

    Options with a path are one run's own: a template for them would never be used again.
    """
    if any("/" in flag for flag in flags):
        return None
    path = program.path.resolve()
    status = path.stat()
    what = (RECIPE, program.build, str(path), status.st_size, status.st_mtime_ns, *flags)
    return cache.entry("template", *what)


def _installed(image: Path, data: Path) -> bool:
    """Lay out the template, if it's there and whole."""
    try:
        data.mkdir(mode=0o700)
        unpack(image, data)
    except (FileNotFoundError, PermissionError, DamagedError):
        data.rmdir()  # nothing has been laid out
        return False
    cache.used(image)
    return True


def _build(program: Program, flags: Sequence[str], guarded: Guarded, data: Path) -> None:
    initialise(guarded, program, data, lambda connection: set_root_password(connection, ""), flags)
    for name in SINGLE:
        (data / name).unlink(missing_ok=True)


@contextmanager
def _alone(image: Path | None) -> Iterator[None]:
    """Let one process of this user build at a time; the others wait for its template."""
    descriptor = -1
    with suppress(OSError):  # it can't be written, or has no locks, as NFS may: all build
        if image:
            descriptor = os.open(image.parent / "lock", os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if descriptor >= 0:
            os.close(descriptor)
