"""Kill whole pytest runs at random moments beside a live one, and look at what is left.

    python tests/storm.py --runs 1000 --server configured

After the next run nothing may be left: no database, process or folder of a run. What the live run
and a person have there has to be untouched. Prints one line of figures; else the status is 1.
"""

import argparse
import os
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from support.processes import everyone, processes, wait_until
from support.projects import RUN_SQL

from throwaway_mysql import Databases, Login, Server
from throwaway_mysql.folder import BEGIN
from throwaway_mysql.grants import set_up
from throwaway_mysql.owner import Owner

PREFIX = "storm_test_"
CONFTEST = """
import os
from pathlib import Path

from throwaway_mysql import folder

folder.TMPFS = Path(os.environ["STORM_PLACE"])

def make(login, database):
    execute(login, database, "CREATE TABLE a (n INT)", "CREATE VIEW b AS SELECT n FROM a")

@pytest.fixture(scope="session")
def mysql_schema():
    return CallableSchema(make)
"""
MODULE = """
def test_it_has_no_rows(run_sql):
    assert run_sql("SELECT n FROM b") == ()
    run_sql("INSERT INTO a VALUES (1)")

def test_it_has_one_row(run_sql, empty_database):
    assert run_sql("SELECT n FROM b") == ((1,),)
"""
LIVE = """
import time
from pathlib import Path

def test_it_is_left_alone(run_sql):
    run_sql("INSERT INTO a VALUES (1)")
    Path("begun").touch()
    while not Path("stop").exists():
        assert run_sql("SELECT n FROM b") == ((1,),)
        time.sleep(0.05)
"""
LATE = 0.75  # of the runs are killed when they have a server: without, most are at imports
MODULES = ("test_a.py", "test_b.py", "test_c.py")


def alone(pid: int) -> list[int]:
    """Kill pytest."""
    return [pid]


def group(pid: int) -> list[int]:
    """Kill its process group, with the workers of xdist."""
    return [-pid]


def with_guard(pid: int) -> list[int]:
    """Kill pytest and the guards of its servers."""
    return [pid, *(one.pid for one in everyone() if one.parent == pid and "guard" in one.command)]


def all_of_it(pid: int) -> list[int]:
    """Kill all that it has started, as the end of a container does."""
    found, processes = [pid], list(everyone())
    for number in found:
        found += [one.pid for one in processes if one.parent == number]
    return found


KINDS: tuple[Callable[[int], Sequence[int]], ...] = (alone, group, with_guard, all_of_it)


class Project:
    """A small project whose runs are killed."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self.folder, self.place = folder / "project", folder / "place"
        for path in (self.folder, self.place):
            path.mkdir()
        cache = folder / "cache"
        places = {"STORM_PLACE": str(self.place), "TMPDIR": str(self.place)}
        self._environ = os.environ | environ | places | {"XDG_CACHE_HOME": str(cache)}
        (self.folder / "pytest.ini").write_text(f"[pytest]\nmysql_prefix = {PREFIX}\n")
        (self.folder / "conftest.py").write_text(RUN_SQL + CONFTEST)
        for name in MODULES:
            (self.folder / name).write_text(MODULE)
        (self.folder / "test_live.py").write_text(LIVE)

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Start pytest, as the leader of a process group."""
        plain = ("-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:asyncio")
        return subprocess.Popen(
            [sys.executable, "-u", "-m", "pytest", "-q", "-s", *plain, *words],
            cwd=self.folder,
            env=self._environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self) -> None:
        """Run pytest to its end."""
        finish(self.start(*MODULES))

    def is_killed(
        self, kind: Callable[[int], Sequence[int]], delay: float, *words: str, late: bool
    ) -> bool:
        """Begin a run and kill it after so many seconds; tell whether it had not ended before.

        If `late`, they count from when it has a server, else from its start.
        """
        process = self.start(*words, *MODULES)
        for line in process.stdout or () if late else ():
            if "Using " in line:
                break
        try:
            process.wait(delay)
        except subprocess.TimeoutExpired:
            for pid in kind(process.pid):
                with suppress(ProcessLookupError):  # it has just ended
                    os.kill(pid, signal.SIGKILL)
        if process.wait() == -signal.SIGKILL:
            process.stdout.close()  # type: ignore[union-attr]  # a PIPE
            return True
        finish(process)
        return False

    def processes(self) -> Iterator[int]:
        """Find the processes that work in its folder: pytest, and workers of xdist."""
        for one in everyone():
            with suppress(OSError):
                if Path(f"/proc/{one.pid}/cwd").readlink() == self.folder:
                    yield one.pid

    def left(self) -> list[str]:
        """Return what is left of its private servers: processes, and files."""
        return [*processes(self.place), *map(str, self.place.glob(f"{BEGIN}*"))]

    @contextmanager
    def live(self) -> Iterator[None]:
        """Have a run go on for the block; it is to pass."""
        process = self.start("test_a.py", "test_live.py", "test_b.py")
        try:
            wait_until((self.folder / "begun").exists)
            yield
            (self.folder / "stop").touch()
            finish(process)
        finally:
            process.kill()


def finish(process: "subprocess.Popen[str]") -> None:
    """Wait for a run's end; raise what it has to say where it has not passed."""
    output, _ = process.communicate()
    if process.returncode:
        raise AssertionError(f"a run ended with {process.returncode}:\n{output}")


class Foreign:
    """What is not ours to drop: a person's database, and one of another machine's live run."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        theirs = Owner.me()._replace(machine="00000000")
        self.names = {f"{PREFIX}mine", theirs.name(PREFIX, 1)}
        with databases.login.connect() as connection, connection.cursor() as cursor:
            for name in self.names:
                cursor.execute(f"CREATE DATABASE {name}")
                cursor.execute(f"CREATE TABLE {name}.t SELECT 7 AS n")

    def check(self) -> None:
        """Raise where anything else is there, or something of it is not."""
        with self._databases.login.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"SHOW DATABASES LIKE '{PREFIX}%'")
            found = {name for (name,) in cursor.fetchall()}
            if found != self.names:
                raise AssertionError(f"left: {found - self.names}, lost: {self.names - found}")
            for name in self.names:
                cursor.execute(f"CHECK TABLE {name}.t")
                if cursor.fetchall()[0][-1] != "OK":
                    raise AssertionError(f"{name} was touched")


class Storm:
    """Runs killed, several at once, until the number is reached or the time is over."""

    def __init__(self, project: Project, databases: Databases | None, seconds: float) -> None:
        self.project, self._databases, self._longest = project, databases, seconds
        self.kinds: Counter[str] = Counter()
        self.left: set[str] = set()
        self._end = time.monotonic() + seconds

    def kill(self, number: int, at_once: int) -> None:
        """Kill so many runs within the time that a whole one takes."""
        seed = secrets.randbits(32)
        print("seed", seed, flush=True)
        began = time.monotonic()
        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(lambda _: self.project.run(), range(at_once)))
            self._longest = time.monotonic() - began
            list(pool.map(lambda which: self._kill_one(f"{seed} {which}", which), range(number)))

    def _kill_one(self, seed: str, which: int) -> None:
        rng = random.Random(seed)  # noqa: S311 (no secret)
        words = ("-n", "2") if which % 8 == 0 else ()
        while time.monotonic() < self._end:
            kind, late = rng.choice(KINDS), not words and rng.random() < LATE
            delay = rng.random() * (self._longest / 3 if late else self._longest)
            if self.project.is_killed(kind, delay, *words, late=late):
                self.kinds[kind.__name__] += 1
                self._look()
                return

    def _look(self) -> None:
        if self._databases:
            found = self._databases.survey()
            self.left |= {one.name for one in found if one.state.name == "LEFT"}


def storm(options: argparse.Namespace, stack: ExitStack) -> str:
    """Let it storm, look at what is left, and return the figures."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="storm-")))
    environ = {"THROWAWAY_MYSQLD": options.mysqld, "THROWAWAY_MYSQL_URL": ""}
    databases = foreign = None
    if options.server == "configured":
        server = stack.enter_context(Server(options.mysqld))
        with server.root.connect() as connection:
            set_up(connection, "storm", "storm", "storm")
        user = Login(server.root.host, server.root.port, "storm", "storm")
        environ["THROWAWAY_MYSQL_URL"] = user.url()
        databases = Databases(user, PREFIX)
        foreign = Foreign(databases)
    project, began = Project(folder, environ), time.monotonic()
    storm = Storm(project, databases, options.seconds)
    with project.live():
        storm.kill(options.runs, options.at_once)
    wait_until(lambda: not list(project.processes()))  # workers notice that they are alone
    project.run()
    if foreign:
        foreign.check()
    try:
        wait_until(lambda: not project.left())
    except TimeoutError:
        raise AssertionError(f"left: {project.left()}") from None
    kinds = ", ".join(f"{name} {number}" for name, number in sorted(storm.kinds.items()))
    return (
        f"{storm.kinds.total()} runs killed on a {options.server} server ({kinds}) in "
        f"{time.monotonic() - began:.0f} s: {len(storm.left)} databases seen that were left, "
        "nothing is left, nothing else was touched"
    )


def main() -> None:
    """Read the options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--server", choices=["configured", "private"], default="configured")
    parser.add_argument("--mysqld", default="", help="the server program")
    parser.add_argument("--seconds", type=float, default=3600, help="stop after so long")
    options = parser.parse_args()
    with ExitStack() as stack:
        print(storm(options, stack))


if __name__ == "__main__":
    main()
