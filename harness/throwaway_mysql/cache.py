"""Templates of data folders in the user's cache folder.

XDG base directory specification: `$XDG_CACHE_HOME`, by default `~/.cache`. Everything there may be
removed at any time. What was unused for 30 days is removed here, but nothing with another name.
"""

import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

UNUSED_FOR = 30 * 24 * 3600  # seconds
OURS = re.compile(r"[0-9a-f]{32}\.template|throwaway-mysql-[a-z0-9_]{8}\.part")


def entry(*made_of: object) -> Path | None:
    """Return where the template made of `made_of` is or should be; None without a cache."""
    cache = folder()
    digest = hashlib.sha256(repr((os.geteuid(), *made_of)).encode()).hexdigest()
    return cache / f"{digest[:32]}.template" if cache else None


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


def keep(entry: Path, write: Callable[[Path], object]) -> None:
    """Have `write` make a template, which is moved into place whole; do without on failure."""
    with suppress(OSError):  # such as a full disk, or another process that was quicker
        _clean(entry.parent)
        part = Path(tempfile.mkdtemp(prefix="throwaway-mysql-", suffix=".part", dir=entry.parent))
        try:
            write(part / "entry")
            shutil.rmtree(entry, ignore_errors=True)  # a damaged one
            (part / "entry").rename(entry)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def _clean(cache: Path) -> None:
    """Remove what is old."""
    oldest = time.clock_gettime(time.CLOCK_REALTIME) - UNUSED_FOR  # tests may stop time.time()
    for path in cache.iterdir():
        if OURS.fullmatch(path.name) and path.stat().st_mtime < oldest:
            shutil.rmtree(path, ignore_errors=True)
