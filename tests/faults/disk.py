"""A disk of the suite's own: it can be filled, and its power cut."""

import ctypes
import fcntl
import os
import struct
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

SIZE = 600 * 1024 * 1024  # bytes
# From Linux's fs/ext4/ext4.h: stop the filesystem at once, without flushing its journal.
EXT4_IOC_SHUTDOWN, WITHOUT_JOURNAL = 0x8004587D, 2
# From its sched.h and mount.h.
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x00020000, 0x4000, 0x40000


class Disk:
    """An ext4 filesystem in a file in `folder`, mounted at `mountpoint`.

    When the power is cut, what programs have not flushed is lost. SIGKILL is not enough for that:
    the operating system still writes everything. Raises OSError or CalledProcessError if this
    machine does not let us mount it: that takes Linux and root, and few containers allow it.
    """

    def __init__(self, folder: Path) -> None:
        _use_own_mounts()
        self._image, self.mountpoint = folder / "disk.img", folder / "disk"
        self._ballast = self.mountpoint / "ballast"
        self.mountpoint.mkdir()
        with self._image.open("wb") as image:
            image.truncate(SIZE)
        _run("mkfs.ext4", "-q", "-F", "-m", "0", self._image)
        self._mount()

    def fill(self) -> None:
        """Use up all free space."""
        with self._ballast.open("wb") as file:
            end = 0
            for chunk in 1024 * 1024, 4096:  # bytes
                with suppress(OSError):  # until the disk is full
                    while True:
                        os.posix_fallocate(file.fileno(), end, chunk)
                        end += chunk

    def make_room(self) -> None:
        """Free the space again."""
        self._ballast.unlink()

    def cut_power(self) -> None:
        """Let nothing reach the disk from now on; programs get errors."""
        descriptor = os.open(self.mountpoint, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, EXT4_IOC_SHUTDOWN, struct.pack("I", WITHOUT_JOURNAL))
        finally:
            os.close(descriptor)

    def restore_power(self) -> None:
        """Mount the disk as the power cut left it. No program may be using it."""
        _run("umount", self.mountpoint)
        self._mount()

    def close(self) -> None:
        """Unmount and remove the disk."""
        _run("umount", self.mountpoint)
        self._image.unlink()

    def _mount(self) -> None:
        _run("mount", "-o", "loop", self._image, self.mountpoint)


@cache
def _use_own_mounts() -> None:
    """Give this process and its children a mount namespace, so that mounts end with them."""
    if sys.platform != "linux":
        raise OSError("only Linux has mounts of a process's own")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None):
        raise OSError(ctypes.get_errno(), "mounting is not permitted")


def _run(*argv: str | Path) -> None:
    subprocess.run(argv, capture_output=True, check=True)
