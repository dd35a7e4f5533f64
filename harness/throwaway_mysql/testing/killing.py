"""Runs of a small project that are killed at any moment, while another run goes on."""

import os
import random
import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

from throwaway_mysql.testing.looking import (
    MOMENTS,
    WITHIN,
    processes,
    running,
    server_runs,
    wait_until,
    working_in,
)
from throwaway_mysql.testing.nested import Project, check

RUNS_AT_ONCE = 4
MODULE = """
def test_it_has_no_rows(run_sql):
    assert run_sql("SELECT COUNT(*) FROM things") == ((0,),)
    run_sql("INSERT INTO things (name) VALUES ('one')")

def test_it_has_one_row(run_sql):
    assert run_sql("SELECT name FROM things") == (("one",),)
"""
GOES_ON = """
import time
from pathlib import Path

def test_it_is_left_alone(run_sql):
    run_sql("INSERT INTO things (name) VALUES ('one')")
    Path("begun").touch()
    while not Path("stop").exists():
        assert run_sql("SELECT name FROM things") == (("one",),)
        time.sleep(0.05)
"""
ID_COLUMN = "sa.Column('id', sa.Integer, primary_key=True)"
# What makes the table, as (up, down).
REVISIONS = [
    (f"op.create_table('things', {ID_COLUMN})", "op.drop_table('things')"),
    ("op.add_column('things', sa.Column('name', sa.String(9)))", "pass"),
]
MODULES = ["test_a.py", "test_b.py", "test_c.py"]

# Tells which processes are to be killed with a run; a negative number is a process group.
Who = Callable[["subprocess.Popen[str]"], Sequence[int]]


def write_modules(project: Project) -> None:
    """Write three modules, and one that goes on until it is told to stop."""
    project.write(a=MODULE, b=MODULE, c=MODULE, goes_on=GOES_ON)


def of_project(project: Project) -> list[int]:
    """Return the processes that work in the project's folder: pytest, and workers of xdist."""
    return working_in(project.folder)


def end_all(folder: Path) -> None:
    """Kill what still runs in a folder."""
    for pid in working_in(folder):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def descendants(pid: int, name: str = "") -> list[int]:
    """Return a process and those that come from it and have `name` among their arguments."""
    everyone = list(running())
    found, named = [pid], [pid]
    for number in found:
        children = [one for one in everyone if one.parent == number]
        found += [child.pid for child in children]
        named += [child.pid for child in children if name in child.command]
    return named


def alone(process: "subprocess.Popen[str]") -> list[int]:
    """Kill pytest."""
    return [process.pid]


def group(process: "subprocess.Popen[str]") -> list[int]:
    """Kill its process group."""
    return [-process.pid]


def with_guard(process: "subprocess.Popen[str]") -> list[int]:
    """Kill pytest and the guards of its servers."""
    return descendants(process.pid, "guard.py")


def all_of_it(process: "subprocess.Popen[str]") -> list[int]:
    """Kill all that it has started, as the end of a container does."""
    return descendants(process.pid)


def is_killed(project: Project, who: Who, delay: float, *options: str) -> bool:
    """Begin a run, and kill it after so many seconds; tell whether it had not ended before."""
    process = project.start(*options, *MODULES)
    with closing(process.stdout):  # type: ignore[type-var]  # a PIPE
        try:
            said, _ = process.communicate(timeout=delay)
        except subprocess.TimeoutExpired:
            for pid in who(process):
                with suppress(ProcessLookupError):  # it has just ended
                    os.kill(pid, signal.SIGKILL)
            if process.wait() == -signal.SIGKILL:
                return True
            said, _ = process.communicate()  # it was quicker
    check(process.returncode, said)
    return False


def is_killed_at(moment: str, process: "subprocess.Popen[bytes]", folder: Path) -> bool:
    """Kill a process while the server that it makes in a folder is at one of MOMENTS.

    Tell whether it was: else that was over too soon to be seen, and is to be tried again.
    """
    wait_until(lambda: server_runs(folder, MOMENTS[moment]) or process.poll() is not None)
    process.send_signal(signal.SIGSTOP)  # so that it does not go on after a look that takes long
    if process.returncode is None:  # wait until it has stopped, or ended before
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    so = server_runs(folder, MOMENTS[moment])
    process.kill()
    return so


def kill_many(
    project: Project, kinds: Sequence[Who], seconds: float, number: int, *, forget: bool = False
) -> None:
    """Kill `number` runs, several at once, within the time that a whole one takes."""
    seed = secrets.randbits(32)
    print("seed", seed)

    def kill(which: int) -> None:
        rng = random.Random(f"{seed} {which}")  # noqa: S311
        options = ["-n", "2"] if which % 8 == 0 else []
        for template in project.cache.rglob("*.template") if forget else ():
            template.unlink(missing_ok=True)
        while not is_killed(project, rng.choice(kinds), rng.random() * seconds, *options):
            pass

    with ThreadPoolExecutor(RUNS_AT_ONCE) as pool:
        list(pool.map(kill, range(number)))


def timed(project: Project, number: int = RUNS_AT_ONCE) -> float:
    """Run so many at once to the end; return how long it took."""
    began = time.monotonic()
    with ThreadPoolExecutor(number) as pool:
        ends = list(pool.map(lambda _: project.run(*MODULES), range(number)))
    for status, said in ends:
        check(status, said)
    return time.monotonic() - began


def stop(project: Project, going_on: "subprocess.Popen[str]") -> None:
    """Let the run that goes on come to its end; it is to have passed."""
    (project.folder / "stop").touch()
    said, _ = going_on.communicate(timeout=WITHIN)
    check(going_on.returncode, said)


def begin(project: Project) -> "subprocess.Popen[str]":
    """Begin a run that goes on until it is stopped."""
    going_on = project.start("test_a.py", "test_goes_on.py", "test_b.py")
    wait_until((project.folder / "begun").exists)
    return going_on


def nothing_is_left(project: Project) -> bool:
    """Tell whether no process and no file is left of runs."""
    return not (processes(project.places) or of_project(project) or project.left())
