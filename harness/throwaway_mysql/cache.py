"""The user's folder for what takes long to make: templates, versions of programs, schemas.

XDG base directory specification: `$XDG_CACHE_HOME`, by default `~/.cache`. Whatever is there
may be removed at any time; what is unused for 30 days is removed here. Only files whose whole name
is of our making are: copies may be kept in any folder, among a person's own files.
"""

import fcntl
import hashlib
import os
import re
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

UNUSED_FOR = 30 * 24 * 3600  # seconds
DIGEST = r"[0-9a-f]{32}"
WHOLE = re.compile(rf"{DIGEST}\.(template|program)|schema-{DIGEST}\.(dump|lock)")
HALF = re.compile(r"throwaway-mysql-[a-z0-9_]{8}\.part")  # as tempfile fills it in
# Seconds after which a file is removed, by its name; a half, where no lock tells of its writer.
LIMITS = {WHOLE: UNUSED_FOR, HALF: 3600}


def entry(suffix: str, *what: object) -> Path | None:
    """Return where the file that was made of `what` is, or should be; None without a cache."""
    cache = folder()
    digest = hashlib.sha256(repr((os.geteuid(), *what)).encode()).hexdigest()
    return cache / f"{digest[:32]}.{suffix}" if cache else None


def folder() -> Path | None:
    """Return the folder, or None where this user has none or it is someone else's."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    try:
        home = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
        cache = home / "throwaway-mysql"
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        ours = cache.stat().st_uid == os.geteuid()
    except (OSError, RuntimeError):  # RuntimeError: there is no home
        return None
    return cache if ours else None


def writable(otherwise: Callable[[], Path]) -> Path:
    """Return the folder where files may be made there too, else the one of `otherwise`.

    Copies that may only be read are linked into that one.
    """
    cache = folder()
    if cache and os.access(cache, os.W_OK | os.X_OK):
        return cache
    own = otherwise()
    for file in cache.glob("*.dump") if cache else ():
        with suppress(FileExistsError):  # another process of the run has done it
            (own / file.name).symlink_to(file)
    return own


def keep(file: Path, write: Callable[[Path], object]) -> None:
    """Have `write` make a file, which is moved into place whole; where that fails, do without."""
    with suppress(OSError):
        replace(file, write)
        remove_unused(file.parent)


def replace(file: Path, write: Callable[[Path], object]) -> None:
    """Have `write` make a file, which only its owner may read; it is moved into place whole.

    Meanwhile it has a lock, which ends with this process. Raises OSError.
    """
    descriptor, name = _part(file.parent)
    try:
        write(Path(name))
        Path(name).replace(file)
    finally:
        os.close(descriptor)
        Path(name).unlink(missing_ok=True)


def _part(cache: Path) -> tuple[int, str]:
    """Make a file that is locked; another process may take it for a half before it is."""
    while True:
        descriptor, name = tempfile.mkstemp(prefix="throwaway-mysql-", suffix=".part", dir=cache)
        with suppress(OSError):  # a medium without locks: then its age has to tell
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if Path(name).exists():
            return descriptor, name
        os.close(descriptor)


def remove_halves(cache: Path) -> None:
    """Remove what a killed process left half."""
    for part in _named(cache, HALF):
        with suppress(OSError), part.open("rb") as file:  # someone writes it, or has removed it
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.unlink()


def used(file: Path) -> None:
    """Note that a file is in use."""
    with suppress(OSError):  # it is on a medium for reading only
        os.utime(file)


def remove_unused(cache: Path) -> None:
    """Remove what has not been used for long; another process may do the same."""
    now = time.time()
    for name, limit in LIMITS.items():
        for file in _named(cache, name):
            with suppress(OSError):
                if file.stat().st_mtime < now - limit:
                    file.unlink()


def _named(cache: Path, name: re.Pattern[str]) -> list[Path]:
    return [file for file in cache.glob("*") if name.fullmatch(file.name)]
