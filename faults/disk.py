"""A disk of the suite's own, which it can fill, and cut from its power."""

import ctypes
import fcntl
import os
import shutil
import struct
import subprocess
from errno import ENOSPC
from functools import cache
from pathlib import Path

SIZE = 600 * 1024 * 1024  # bytes
BLOCK = 4096
# From Linux's fs/ext4/ext4.h: the filesystem stops at once, and its journal stays as it is.
EXT4_IOC_SHUTDOWN, WITHOUT_JOURNAL = 0x8004587D, 2
# From its sched.h and mount.h.
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x00020000, 0x4000, 0x40000


class DiskError(Exception):
    """This machine does not let us mount a disk."""


class Disk:
    """An ext4 filesystem in a file below `folder`, mounted at `place`.

    What a program has not flushed when the power is cut is lost, as in a machine that loses
    its: that is the difference to SIGKILL, after which the operating system still writes it.
    Raises DiskError where it may not be mounted; root may, in most containers nobody.
    """

    def __init__(self, folder: Path) -> None:
        _have_mounts_of_our_own()
        self._image, self.place = folder / "disk.img", folder / "disk"
        self._ballast = self.place / "ballast"
        self.place.mkdir()
        with self._image.open("wb") as image:
            image.truncate(SIZE)
        _run("mkfs.ext4", "-q", "-F", "-m", "0", str(self._image))
        self._mount()

    def fill(self) -> None:
        """Take all the room that is left."""
        with self._ballast.open("wb") as file:
            taken, size = 0, SIZE
            while size >= BLOCK:
                try:
                    os.posix_fallocate(file.fileno(), taken, size)
                    taken += size
                except OSError as error:
                    if error.errno != ENOSPC:
                        raise
                    size //= 2

    def make_room(self) -> None:
        """Give the room back."""
        self._ballast.unlink()

    def cut_power(self) -> None:
        """Let nothing reach the disk from now on; programs on it meet errors."""
        place = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(place, EXT4_IOC_SHUTDOWN, struct.pack("I", WITHOUT_JOURNAL))
        finally:
            os.close(place)

    def restore_power(self) -> None:
        """Mount the disk as the power left it. No program may be on it."""
        _run("umount", str(self.place))
        self._mount()

    def close(self) -> None:
        """Unmount and remove it."""
        _run("umount", str(self.place))
        shutil.rmtree(self.place)
        self._image.unlink()

    def _mount(self) -> None:
        _run("mount", "-o", "loop", str(self._image), str(self.place))


@cache
def _have_mounts_of_our_own() -> None:
    """Let nobody but this process and its children see what it mounts: it ends with them."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "unshare"):
        raise DiskError("this is not Linux")
    if libc.unshare(CLONE_NEWNS) or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None):
        raise DiskError(f"mounting is not permitted: {os.strerror(ctypes.get_errno())}")


def _run(*argv: str) -> None:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise DiskError(f"this machine has no {argv[0]}") from None
    if done.returncode:
        raise DiskError(f"{argv[0]}: {done.stderr.strip()}")
