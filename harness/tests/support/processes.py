"""Find processes, run scripts as processes, and clean up what they leave."""

import gc
import os
import re
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

WITHIN = 60.0  # seconds; no step takes longer, even on a busy machine
# Arguments that show what a new server, MariaDB or MySQL, is doing.
MOMENTS = {
    "its system tables": r" --(bootstrap|initialize-insecure)\b",
    "its first password": r" --init-file=\S*first",
}


class Process(NamedTuple):
    """A process, its parent's id, and its command line."""

    pid: int
    parent: int
    command: str


def process(pid: int) -> Process | None:
    """Return a process; None if it has ended, even if its parent has not reaped it."""
    folder = Path(f"/proc/{pid}")
    try:
        status = (folder / "stat").read_text(errors="replace")
        command = os.fsdecode((folder / "cmdline").read_bytes())
    except OSError:
        return None
    # proc_pid_stat(5): the name, the second field, may hold anything.
    state, parent, *_ = status.rpartition(")")[2].split()
    return None if state in "ZX" else Process(pid, int(parent), command.replace("\0", " "))


def everyone() -> Iterator[Process]:
    """Find all processes."""
    for folder in Path("/proc").glob("[0-9]*"):
        if found := process(int(folder.name)):
            yield found


def alive(pid: int) -> bool:
    """Return whether a process runs."""
    return process(pid) is not None


def processes(folder: Path) -> list[str]:
    """Return the command lines that name a folder."""
    return [one.command for one in everyone() if str(folder) in one.command]


def guards(folder: Path) -> list[int]:
    """Return the processes that guard a folder."""
    guarding = re.compile(rf"guard\.py .*{re.escape(str(folder))}")
    return [one.pid for one in everyone() if guarding.search(one.command)]


def kill_guard(folder: Path) -> None:
    """Kill a folder's guard."""
    [guard] = guards(folder)
    os.kill(guard, signal.SIGKILL)
    wait_until(lambda: not alive(guard))


def wait_until(condition: Callable[[], object]) -> None:
    """Poll until a condition holds."""
    deadline = time.monotonic() + WITHIN
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("it takes too long")
        time.sleep(0.01)


@contextmanager
def running(
    script: str, *arguments: object, **environ: str
) -> Iterator["tuple[subprocess.Popen[str], str]"]:
    """Run a script until the block ends; yield the process and its first line of output."""
    argv = [sys.executable, "-c", script, *map(str, arguments)]
    env = os.environ | environ
    with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def kill_at(moment: str, begin: Callable[[], "subprocess.Popen[str]"], parent: Path) -> None:
    """Begin a process, and kill it while the server that it makes in `parent` is at a moment.

    Try again if the moment was over too soon to be seen.
    """
    flag = MOMENTS[moment]
    while True:
        starter = begin()

        def is_there() -> bool:
            found = [line for line in processes(parent) if "guard.py" not in line]
            return any(re.search(flag, line) for line in found)

        wait_until(lambda: is_there() or starter.poll() is not None)  # noqa: B023 (called at once)
        starter.send_signal(signal.SIGSTOP)  # so that it does not go on while we look
        if starter.returncode is None:  # wait until it has stopped, or ended before
            os.waitid(os.P_PID, starter.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        is_right = is_there()
        with suppress(ProcessLookupError):
            starter.kill()
        starter.wait()
        if is_right:
            return


def collect_garbage() -> None:
    """Collect what a project's code leaked on purpose, such as a connection.

    Otherwise it would be collected in another test, which the warning would fail.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
