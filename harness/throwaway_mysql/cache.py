"""The user's cache folder: templates of data folders, and the versions of programs.

XDG base directory specification: `$XDG_CACHE_HOME`, by default `~/.cache`. Everything there may be
removed at any time. What was unused for 30 days is removed here, but nothing with another name.
"""

import fcntl
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

UNUSED_FOR = 30 * 24 * 3600  # seconds
ENTRY = re.compile(r"[0-9a-f]{32}\.(template|program)")
PART = re.compile(r"throwaway-mysql-[a-z0-9_]{8}\.part")  # as mkdtemp fills it in


def entry(kind: str, *made_of: object) -> Path | None:
    """Return where the file or folder made of `made_of` is or should be; None without a cache."""
    cache = folder()
    digest = hashlib.sha256(repr((os.geteuid(), *made_of)).encode()).hexdigest()
    return cache / f"{digest[:32]}.{kind}" if cache else None


def folder() -> Path | None:
    """Return the cache folder, or None where this user has none or it is someone else's."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    try:
        home = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
        cache = home / "throwaway-mysql"
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        ours = cache.stat().st_uid == os.geteuid()
    except (OSError, RuntimeError):  # RuntimeError: there is no home
        return None
    return cache if ours else None


@contextmanager
def writing(entry: Path | None) -> Iterator[bool]:
    """Let one process write at a time, and tell whether it may: only then call keep()."""
    descriptor = -1
    with suppress(OSError):  # read-only, or without locks, as NFS may be
        if entry:
            descriptor = os.open(entry.parent / "lock", os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            os.utime(descriptor)  # its time is now by the file system's clock
    try:
        yield descriptor >= 0
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def keep(entry: Path, write: Callable[[Path], object]) -> None:
    """Have `write` make an entry, which is moved into place whole; do without where that fails."""
    with suppress(OSError):
        _clean(entry.parent)
        part = Path(tempfile.mkdtemp(prefix="throwaway-mysql-", suffix=".part", dir=entry.parent))
        try:
            write(part / "entry")
            _remove(entry)
            (part / "entry").rename(entry)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def used(entry: Path) -> None:
    """Note that an entry is in use."""
    with suppress(OSError):  # it is read-only
        os.utime(entry)


def _clean(cache: Path) -> None:
    """Remove old entries, and parts: whoever wrote one has lost the lock, so has ended."""
    now = (cache / "lock").stat().st_mtime
    for path in cache.iterdir():
        with suppress(OSError):  # someone else has removed it
            old = ENTRY.fullmatch(path.name) and path.stat().st_mtime < now - UNUSED_FOR
            if old or PART.fullmatch(path.name):
                _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
