"""Once a run has ended, end the server on its folder and remove the folder.

    python -I -S guard.py FOLDER RUN

RUN is the process that started this one: when it ends, this one gets another parent. If it left a
file `kept` in the folder, the guard first waits until the server ends by itself. If the guard is
killed as well, the next run's sweep calls the same clear().
"""

# No pathlib: importing it takes longer than everything else here.
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

GONE = ".gone"  # suffix of a folder that is being removed
KEPT = "kept"
KILLED_WITHIN = 10.0  # seconds; a killed server has to give its memory back
POLL = 0.002
IGNORED = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)  # it waits for the run's end only


def main(folder: str, run: int) -> None:
    """Wait for the run's end, then clear its folder."""
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    while os.getppid() == run:
        time.sleep(0.1)
    while is_kept(folder) and servers(folder):
        time.sleep(1)
    clear(folder)


def is_kept(folder: str) -> bool:
    """Return whether the run wanted its server to go on."""
    return os.path.exists(f"{folder}/{KEPT}")  # noqa: PTH110


def clear(folder: str) -> None:
    """End the servers on a folder, and remove it; several processes may do so at once."""
    import shutil  # only now: it is slow to import

    folder = folder.removesuffix(GONE)
    with suppress(OSError):  # from here on no server can start on it
        os.rename(folder, folder + GONE)  # noqa: PTH104
    deadline = now() + KILLED_WITHIN
    while (pids := servers(folder)) and now() < deadline:
        for pid in pids:
            with suppress(OSError):  # it has just ended
                os.kill(pid, signal.SIGKILL)
        time.sleep(POLL)
    for path in (folder, folder + GONE):
        shutil.rmtree(path, ignore_errors=True)


def servers(folder: str) -> list[int]:
    """Return the ids of server processes whose data is in a folder."""
    return [pid for pid, words in _commands() if f"\0--datadir={folder}/" in words]


def _commands() -> Iterator[tuple[int, str]]:
    """Yield each process and its command line, with NUL before each argument."""
    if os.path.exists("/proc/self/cmdline"):  # noqa: PTH110
        for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208
            with suppress(OSError), open(f"/proc/{name}/cmdline", "rb") as file:  # noqa: PTH123
                yield int(name), os.fsdecode(file.read())
        return
    with os.popen("ps -axww -o pid=,command=") as output:  # noqa: S605, S607
        for line in output:
            pid, _, command = line.strip().partition(" ")
            yield int(pid), command.replace(" --", "\0--")


def now() -> float:
    """Return monotonic seconds; freezegun freezes time.monotonic(), but not this clock."""
    return time.clock_gettime(time.CLOCK_MONOTONIC)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
