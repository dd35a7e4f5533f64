"""pytest itself killed at any moment, while another run goes on: nothing is left after the next."""

import os
import random
import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest

from throwaway_mysql.identity import Maker, Name
from throwaway_mysql.login import Login
from throwaway_mysql.looking import databases, processes, wait_until
from throwaway_mysql.marker import Marker, write
from throwaway_mysql.nested import WITHIN, Project, short_folder
from throwaway_mysql.place import Place
from throwaway_mysql.verdict import STEP

KILLS = 50
COLD = 10  # of these, where the template is made anew
AT_ONCE = 4
MODULE = """
def test_it_has_no_rows(run_sql):
    assert run_sql("SELECT COUNT(*) FROM things") == ((0,),)
    run_sql("INSERT INTO things (name) VALUES ('one')")

def test_it_has_one_row(run_sql):
    assert run_sql("SELECT name FROM things") == (("one",),)
"""
GOES_ON = (
    MODULE
    + """
def test_it_is_left_alone(run_sql):
    import time
    from pathlib import Path

    Path("begun").touch()
    while not Path("stop").exists():
        assert run_sql("SELECT name FROM things") == (("one",),)
        time.sleep(0.05)
"""
)
COLUMNS = "sa.Column('id', sa.Integer, primary_key=True)"
REVISIONS = [
    (f"op.create_table('things', {COLUMNS})", "op.drop_table('things')"),
    ("op.add_column('things', sa.Column('name', sa.String(9)))", "pass"),
]
MODULES = ["test_a.py", "test_b.py", "test_c.py"]

WriteProject = Callable[..., Path]
Who = Callable[["subprocess.Popen[str]"], Sequence[int]]


@pytest.fixture
def project(write_project: WriteProject, mysql_program: str) -> Iterator[Project]:
    """Return a project with three modules and one that goes on until it is told to stop."""
    folder = write_project(*REVISIONS).parent
    with short_folder() as places:
        project = Project(folder, places, "killed_test_", mysql_program)
        project.write(a=MODULE, b=MODULE, c=MODULE, goes_on=GOES_ON)
        yield project
        for pid in of_project(project):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def gone() -> Maker:
    """Return a process that has ended."""
    with subprocess.Popen(["/bin/true"]) as process:
        return Maker.of(process.pid)


def of_project(project: Project) -> list[int]:
    """Return the processes that work in the project's folder: pytest, and workers of xdist."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            inside = (process / "cwd").readlink() == project.folder
        except OSError:  # it has just ended
            continue
        if inside:
            found.append(int(process.name))
    return found


def descendants(pid: int, name: str = "") -> list[int]:
    """Return a process and those that come from it and have `name` among their arguments."""
    argv = ["ps", "-ww", "-A", "-o", "pid=,ppid=,args="]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    lines = [line.split(None, 2) for line in said.splitlines()]
    found, named = [pid], [pid]
    for number in found:
        children = [(int(line[0]), line[2]) for line in lines if int(line[1]) == number]
        found += [child for child, _ in children]
        named += [child for child, args in children if name in args]
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
            return process.wait() == -signal.SIGKILL
        assert process.returncode == 0, said
        return False


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

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(kill, range(number)))


def timed(project: Project, number: int = AT_ONCE) -> float:
    """Run so many at once to the end; return how long it took."""
    began = time.monotonic()
    with ThreadPoolExecutor(number) as pool:
        ends = list(pool.map(lambda _: project.run(*MODULES), range(number)))
    assert [status for status, _ in ends] == [0] * number, ends
    return time.monotonic() - began


def stop(project: Project, going_on: "subprocess.Popen[str]") -> None:
    """Let the run that goes on come to its end; it is to have passed."""
    (project.folder / "stop").touch()
    said, _ = going_on.communicate(timeout=WITHIN)
    assert going_on.returncode == 0, said
    assert "7 passed" in said


def begin(project: Project) -> "subprocess.Popen[str]":
    """Begin a run that goes on until it is stopped."""
    going_on = project.start("test_a.py", "test_goes_on.py", "test_b.py", "-p", "no:randomly")
    wait_until((project.folder / "begun").exists)
    return going_on


def nothing_is_left(project: Project) -> bool:
    """Tell whether no process and no file is left of runs."""
    return not (processes(project.places) or of_project(project) or project.left())


def a_persons(account: Login, prefix: str, gone: Maker) -> set[str]:
    """Make databases that are not ours to drop, for all that they look like it."""
    names = [str(Name(prefix, "200101000000_abcdef", "main", number)) for number in range(1, 5)]
    empty, with_table, copied, spared = names
    with Place(account) as place:
        for name in (f"{prefix}mine", *names):
            place.rows(f"CREATE DATABASE {name}")
        for name in (f"{prefix}mine", with_table, copied, spared):
            place.rows(f"CREATE TABLE {name}.t (n INT)")
        write(place, copied, Marker(empty, gone, 0))
        write(place, spared, Marker(spared, gone, 0))
    return {f"{prefix}mine", *names}


def connections(account: Login) -> int:
    """Return how many connections the account has, besides that which asks."""
    with Place(account) as place:
        return len(place.rows("SHOW PROCESSLIST")) - 1


@pytest.mark.parametrize("account", ["narrow"], indirect=True)
def test_on_a_configured_server(project: Project, account: Login, prefix: str, gone: Maker) -> None:
    theirs = a_persons(account, prefix, gone)
    project.environ |= {"TEST_PREFIX": prefix, "TEST_SPARED": max(theirs - {f"{prefix}mine"})}
    project.configure(account)
    with Place(account) as place:  # or a run might have begun before its server started
        wait_until(lambda: place.now > place.started + STEP)
    going_on = begin(project)
    kill_many(project, [alone, group], timed(project), KILLS)
    stop(project, going_on)
    wait_until(lambda: not of_project(project))  # workers notice that they are alone
    wait_until(lambda: connections(account) == 0)
    timed(project, 1)
    assert {name for name in databases(account) if name.startswith(prefix)} == theirs
    assert nothing_is_left(project)
    wait_until(lambda: connections(account) == 0)  # and with them the locks have gone


def test_on_private_servers_that_are_made_and_used(project: Project) -> None:
    cold = timed(project)
    going_on = begin(project)
    kinds = [alone, group, with_guard, all_of_it]
    kill_many(project, kinds, cold, COLD, forget=True)
    kill_many(project, kinds, timed(project), KILLS - COLD)
    stop(project, going_on)
    wait_until(lambda: not of_project(project))
    timed(project, 1)
    wait_until(lambda: nothing_is_left(project))  # guards that were not killed have their time
