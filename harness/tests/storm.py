"""Kill whole pytest runs at random moments beside a live one, and check what they leave.

    python tests/storm.py --runs 1000 --server configured

After the next run no database, process or folder of a killed run may be left. The data of the live
run and of a person must be untouched. Prints one line of figures; on failure the status is 1.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
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

folder.TMPFS = Path(os.environ["TMPDIR"])

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
MODULES = ("test_a.py", "test_b.py", "test_c.py")
# pytest; its process group, with xdist's workers; pytest and its guard; or all that it started, as
# when a container ends.
KINDS = ("alone", "group", "with its guard", "with all")


def victims(pid: int, kind: str) -> list[int]:
    """Return the ids to pass to os.kill() for this kind of kill."""
    found, running = [pid], list(everyone())
    if kind == "with its guard":
        found += [one.pid for one in running if one.parent == pid and "guard" in one.command]
    if kind == "with all":
        for parent in found:
            found += [one.pid for one in running if one.parent == parent]
    return [-pid] if kind == "group" else found


class Project:
    """A small project whose runs are killed."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self.folder, self._parent = folder / "project", folder / "runs"
        for path in (self.folder, self._parent):
            path.mkdir()
        places = {"TMPDIR": str(self._parent), "XDG_CACHE_HOME": str(folder / "cache")}
        self._environ = os.environ | environ | places
        (self.folder / "pytest.ini").write_text(f"[pytest]\nmysql_prefix = {PREFIX}\n")
        (self.folder / "conftest.py").write_text(RUN_SQL + CONFTEST)
        for name in MODULES:
            (self.folder / name).write_text(MODULE)
        (self.folder / "test_live.py").write_text(LIVE)

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Start pytest, as the leader of a process group."""
        plain = ("-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:asyncio")
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", "-q", *plain, *words],
            cwd=self.folder,
            env=self._environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *words: str, kind: str = "", within: float | None = None) -> bool:
        """Run pytest, and kill it after `within` seconds; return whether it was killed."""
        with self.start(*words, *MODULES) as process:
            try:
                process.wait(within)
            except subprocess.TimeoutExpired:
                for pid in victims(process.pid, kind):
                    with suppress(ProcessLookupError):  # it has just ended
                        os.kill(pid, signal.SIGKILL)
            if process.wait() == -signal.SIGKILL:
                return True
            finish(process)
        return False

    @contextmanager
    def live(self) -> Iterator[None]:
        """Keep a run going during the block; it must pass."""
        process = self.start("test_a.py", "test_live.py", "test_b.py")
        try:
            wait_until((self.folder / "begun").exists)
            yield
            (self.folder / "stop").touch()
            finish(process)
        finally:
            process.kill()

    def workers(self) -> list[int]:
        """Return the processes that work in its folder: pytest and xdist's workers."""
        found = []
        for one in everyone():
            with suppress(OSError):
                if Path(f"/proc/{one.pid}/cwd").readlink() == self.folder:
                    found.append(one.pid)
        return found

    def left(self) -> list[str]:
        """Return what is left of its private servers: processes, and files."""
        return [*processes(self._parent), *map(str, self._parent.glob(f"{BEGIN}*"))]


def finish(process: "subprocess.Popen[str]") -> None:
    """Wait for a run's end; raise its output if it did not pass."""
    output, _ = process.communicate()
    if process.returncode:
        raise AssertionError(f"a run ended with {process.returncode}:\n{output}")


class Foreign:
    """Databases that must not be dropped: a person's, and one of another machine's live run."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        theirs = Owner.me()._replace(machine="00000000")
        self._names = {f"{PREFIX}mine", theirs.name(PREFIX, 1)}
        with databases.login.connect() as connection, connection.cursor() as cursor:
            for name in self._names:
                cursor.execute(f"CREATE DATABASE {name}")
                cursor.execute(f"CREATE TABLE {name}.t SELECT 7 AS n")

    def check(self) -> None:
        """Raise unless exactly these databases exist and are intact."""
        with self._databases.login.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"SHOW DATABASES LIKE '{PREFIX}%'")
            found = {name for (name,) in cursor.fetchall()}
            if found != self._names:
                raise AssertionError(f"left: {found - self._names}, lost: {self._names - found}")
            for name in self._names:
                cursor.execute(f"CHECK TABLE {name}.t")
                if cursor.fetchall()[0][-1] != "OK":
                    raise AssertionError(f"{name} was touched")


def kill_runs(
    project: Project, databases: Databases | None, runs: int, at_once: int
) -> tuple[Counter[str], set[str]]:
    """Kill runs; return how many by kind, and the databases seen that they left."""
    kinds: Counter[str] = Counter()
    left: set[str] = set()
    began = time.monotonic()
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(lambda _: project.run(), range(at_once)))
        longest = time.monotonic() - began

        def kill_one(number: int) -> None:
            words = ("-n", "2") if number % 8 == 0 else ()
            kind, killed = random.choice(KINDS), False  # noqa: S311 (no secret)
            while not killed:  # mostly late, once there is a server
                within = longest * random.random() ** 0.5  # noqa: S311 (as above)
                killed = project.run(*words, kind=kind, within=within)
            kinds[kind] += 1
            if databases:
                left.update(one.name for one in databases.survey() if one.state.name == "LEFT")

        list(pool.map(kill_one, range(runs)))
    return kinds, left


def storm(options: argparse.Namespace, stack: ExitStack) -> str:
    """Run the storm, check what is left, and return the figures."""
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
    with project.live():
        kinds, left = kill_runs(project, databases, options.runs, options.at_once)
    wait_until(lambda: not project.workers())  # orphaned workers end by themselves
    project.run()
    if foreign:
        foreign.check()
    try:
        wait_until(lambda: not project.left())
    except TimeoutError:
        raise AssertionError(f"left: {project.left()}") from None
    ways = ", ".join(f"{kind} {number}" for kind, number in sorted(kinds.items()))
    return (
        f"{kinds.total()} runs killed on a {options.server} server ({ways}) in "
        f"{time.monotonic() - began:.0f} s: {len(left)} databases seen that were left, "
        "nothing is left, nothing else was touched"
    )


def main() -> None:
    """Run a storm with the command line's options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--server", choices=["configured", "private"], default="configured")
    parser.add_argument("--mysqld", default="", help="the server program")
    with ExitStack() as stack:
        print(storm(parser.parse_args(), stack))


if __name__ == "__main__":
    main()
