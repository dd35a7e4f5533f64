"""Folders of runs that were killed together with their guards, and the servers on them.

A guard is killed too where a system without memory ends what it finds, or a container ends.
"""

import os
import re
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL

from throwaway_mysql.servers import guard
from throwaway_mysql.servers.guarded import noted
from throwaway_mysql.servers.hold import abandoned

BEGIN = "throwaway-mysql-"  # what the names of runs' folders begin with
# How they go on, as mkdtemp makes them; a removal that was killed is begun anew.
REST = re.compile(rf"[a-z0-9_]{{8}}({re.escape(guard.GONE)})*")
KILLED_WITHIN = 10.0  # seconds; a killed server has to give its memory back
POLL = 0.005
DATA = b"--datadir="


def sweep(places: Iterable[Path], begin: str = BEGIN) -> None:
    """Remove this user's folders in `places` that neither a run nor a guard has any more.

    Their names begin with `begin`; mkdtemp has made the rest, and nothing else is touched.
    An empty one is new, or its run was killed at once: who has just made it makes another.
    """
    for folder in _ours(places, begin):
        if folder.suffix == guard.GONE:
            guard.remove([str(folder)])
        with abandoned(folder) as so:
            if so and not _goes_on(folder):
                clear(folder)
        with suppress(OSError):  # it is not empty
            folder.rmdir()


def kept(places: Iterable[Path]) -> list[Path]:
    """Return this user's folders in `places` whose servers a run has kept."""
    return [folder for folder in _ours(places, BEGIN) if is_kept(folder)]


def clear(folder: Path) -> None:
    """End the server on a folder that nobody guards any more, and remove it."""
    folders = [folder, *filter(_is_ours, noted(folder))]
    if (folder / "guard").exists():  # else there was none
        _end_servers(folders)
    guard.remove([str(path) for path in folders])


def is_kept(path: Path) -> bool:
    """Tell whether it is a folder of one of this user's runs that kept its server."""
    files = (path / "alive", path / "guard", path / guard.KEPT)
    return path.name.startswith(BEGIN) and _is_ours(path) and all(file.is_file() for file in files)


def servers(folders: Iterable[Path]) -> Iterator[int]:
    """Find the servers whose data are there; on a system without /proc none is found."""
    places = tuple(f"{os.path.realpath(folder)}/" for folder in folders)
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            arguments = (process / "cmdline").read_bytes().split(b"\0")
            data = [text.removeprefix(DATA) for text in arguments if text.startswith(DATA)]
            if any(os.path.realpath(os.fsdecode(path)).startswith(places) for path in data):
                yield int(process.name)


def _goes_on(folder: Path) -> bool:
    """Tell whether a server that was kept runs there, though its guard was killed."""
    if not (folder / guard.KEPT).exists():
        return False
    return bool(list(servers([folder]))) or not Path("/proc/self").exists()


def _ours(places: Iterable[Path], begin: str) -> Iterator[Path]:
    for place in dict.fromkeys(places):
        with suppress(OSError):  # there is none, or none that may be read
            paths = list(place.glob(f"{begin}*"))
            made = [path for path in paths if REST.fullmatch(path.name.removeprefix(begin))]
            yield from filter(_is_ours, made)


def _is_ours(path: Path) -> bool:
    try:
        status = path.lstat()
        private = stat.S_ISDIR(status.st_mode) and not stat.S_IMODE(status.st_mode) & 0o077
        return private and status.st_uid == os.geteuid()
    except OSError:  # it was removed meanwhile
        return False


def _end_servers(folders: Iterable[Path]) -> None:
    deadline = time.monotonic() + KILLED_WITHIN
    while found := list(servers(folders)):
        for pid in found:
            with suppress(OSError):  # it has just ended
                os.kill(pid, SIGKILL)
        if time.monotonic() > deadline:
            break
        time.sleep(POLL)
