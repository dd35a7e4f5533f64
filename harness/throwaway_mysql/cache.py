"""Templates of data folders in the user's cache folder.

That is `$XDG_CACHE_HOME` (XDG base directory specification), by default `~/.cache`. Templates may
be deleted at any time. This module deletes those unused for 30 days, and no other files.
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
    """Return the path of the template for `made_of`, which may not exist; None without a cache."""
    cache = folder()
    digest = hashlib.sha256(repr((os.geteuid(), *made_of)).encode()).hexdigest()
    return cache / f"{digest[:32]}.template" if cache else None


def folder() -> Path | None:
    """Return the cache folder; None if this user has none or another user owns it."""
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
    """Let `write` make a template, then move it into place atomically; ignore failures."""
    with suppress(OSError):  # the disk is full, or another process was quicker
        _clean(entry.parent)
        part = Path(tempfile.mkdtemp(prefix="throwaway-mysql-", suffix=".part", dir=entry.parent))
        try:
            write(part / "entry")
            shutil.rmtree(entry, ignore_errors=True)  # a damaged one
            (part / "entry").rename(entry)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def _clean(cache: Path) -> None:
    """Remove templates that have not been used for a while."""
    oldest = time.clock_gettime(time.CLOCK_REALTIME) - UNUSED_FOR  # tests may stop time.time()
    for path in cache.iterdir():
        if OURS.fullmatch(path.name) and path.stat().st_mtime < oldest:
            shutil.rmtree(path, ignore_errors=True)
