"""`quart mysql`: the private server that keeps its data, and accounts on another."""

import fcntl
import os
import re
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from testing import account_settings
from throwaway_mysql.accounts import identifier
from throwaway_mysql.login import Answer, Login
from throwaway_mysql.masked import Masked
from throwaway_mysql.servers.port import free_port
from throwaway_mysql.servers.program import find_program
from throwaway_mysql.testing.looking import MOMENTS, process, processes, server_runs, wait_until

AWKWARD = "%s%%@:/#?&;'\"`\\ $é☃"
MYSQL = [sys.executable, "-c", "from commands import mysql; mysql()"]
ROOT_PASSWORD = "r%o'o\"t☃"  # noqa: S105 (a test's own)


@dataclass
class Project:
    """A copy of the project, whose private server is not this checkout's."""

    folder: Path
    environ: Masked = field(default_factory=Masked)

    def mysql(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run `quart mysql`, without the app, which takes thrice as long to load."""
        return subprocess.run(
            [*MYSQL, *arguments],
            cwd=self.folder,
            env=self.environ | environ,
            capture_output=True,
            text=True,
            check=False,
        )

    def begin(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Begin to run `quart mysql`."""
        return subprocess.Popen([*MYSQL, *arguments], cwd=self.folder, env=self.environ)

    def login(self, user: str = "counter_user", password: str = AWKWARD) -> Login:
        """Return an account at the project's address."""
        return Login("127.0.0.1", int(self.environ["DB_PORT"]), user, password)

    def query(self, statement: str) -> Sequence[Sequence[object]]:
        """Run a statement as the app's user."""
        with self.login().connect() as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()

    def pid(self) -> int:
        """Return the private server's process id."""
        return int((self.folder / ".mysql/data/mysqld.pid").read_text())


@pytest.fixture
def project(project_copy: Path) -> Iterator[Project]:
    """Give a project a port and passwords of its own; stop its server at the end."""
    mine = {
        "DB_HOST": "127.0.0.1",
        "DB_PORT": str(free_port()),
        "DB_USERNAME": "counter_user",
        "DB_PASSWORD": AWKWARD,
        "DATABASE_NAME": "counter",
        "MYSQL_ROOT_PASSWORD": ROOT_PASSWORD,
    }
    project = Project(project_copy, Masked(os.environ | mine))
    yield project
    if (project_copy / ".mysql/running").exists():
        project.mysql("stop")


@pytest.fixture
def startable(project: Project, mysql_program: str) -> Project:
    """Return the project with a server program to start."""
    project.environ["MYSQLD"] = mysql_program
    return project


def only_line(done: subprocess.CompletedProcess[str]) -> str:
    """Check that a command failed with one line that holds no password; return it."""
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert AWKWARD not in done.stderr
    assert ROOT_PASSWORD not in done.stderr
    return done.stderr.removeprefix("Error: ")


def test_the_app_starts_without_the_harness(project: Project) -> None:
    show = "import manage, sys; print([name for name in sys.modules if 'throwaway' in name])"
    done = subprocess.run(
        [sys.executable, "-c", show],
        cwd=project.folder,
        env=project.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"


def test_a_private_server_serves_the_settings_and_keeps_its_data(startable: Project) -> None:
    started = startable.mysql("start")
    assert started.returncode == 0, started.stderr
    assert startable.environ["DB_PORT"] in started.stdout
    assert startable.login("root", ROOT_PASSWORD).answer() is Answer.SERVICE
    assert startable.login("root", "").answer() is Answer.REFUSAL
    startable.query("CREATE TABLE counter.kept AS SELECT 42 AS n")

    status = startable.mysql("status")
    assert status.returncode == 0
    assert status.stdout.startswith("the private server (M")

    assert startable.mysql("stop").stdout == "the private server has stopped\n"
    assert startable.login().answer() is Answer.NOTHING
    assert startable.mysql("status").returncode == 3
    assert startable.mysql("stop").stdout == "the private server does not run\n"

    assert startable.mysql("start").returncode == 0
    os.kill(startable.pid(), 9)  # as at the end of a machine
    assert startable.mysql("start").returncode == 0
    assert startable.query("SELECT n FROM counter.kept") == ((42,),)


def test_a_start_awaits_the_end_of_a_server_that_was_killed(startable: Project) -> None:
    startable.mysql("start")
    with (startable.folder / ".mysql/running").open() as running:
        os.kill(startable.pid(), 9)
        fcntl.flock(running, fcntl.LOCK_EX)  # as if the kernel still took it down
        with startable.begin("start") as starter:
            with pytest.raises(subprocess.TimeoutExpired):
                starter.wait(1)
            fcntl.flock(running, fcntl.LOCK_UN)
    assert starter.returncode == 0
    assert startable.login().answer() is Answer.SERVICE


def test_the_status_tells_another_server_from_the_private_one(
    startable: Project, mysql_server: Login
) -> None:
    elsewhere = account_settings(mysql_server) | {"DATABASE_NAME": "information_schema"}
    own = f"a server of your own answers at {mysql_server.address}"
    assert startable.mysql("status", **elsewhere).stdout == f"{own}\n"
    startable.mysql("start")
    said = startable.mysql("status", **elsewhere).stdout
    assert said == f"{own}; the private server runs at {startable.login().address}\n"
    said = startable.mysql("status", DB_PASSWORD="another").stdout  # noqa: S106 (a test's own)
    assert said.endswith("; the private server runs with other settings\n")


def test_the_server_outlives_the_terminal_and_shows_no_password(startable: Project) -> None:
    startable.mysql("start")
    assert os.getsid(startable.pid()) != os.getsid(0)
    server = process(startable.pid())
    assert server
    assert "--bind-address=127.0.0.1" in server.command
    for secret in (AWKWARD, ROOT_PASSWORD):
        assert secret not in server.command
    log = (startable.folder / ".mysql/server.log").read_text(errors="replace")
    assert AWKWARD not in log


def test_starts_at_once_make_one_server(startable: Project, mysql_program: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda _: startable.mysql("start"), range(4)))
    assert [run.returncode for run in runs] == [0] * 4, [run.stderr for run in runs]
    said = sorted(run.stdout.split(" ")[1] for run in runs)
    assert said == [*[find_program(mysql_program).family] * 3, "private"]


def test_where_a_server_answers_none_is_started(
    project: Project, server_environ: dict[str, str]
) -> None:
    names = ("DB_HOST", "DB_PORT", "DB_USERNAME", "DB_PASSWORD")
    environ = {name: server_environ[name] for name in names}
    done = project.mysql("start", DATABASE_NAME="information_schema", **environ)
    assert re.match("a (MariaDB|MySQL) server answers at ", done.stdout), done.stderr
    assert not (project.folder / ".mysql").exists()


def test_a_port_taken_by_something_else_is_one_line(startable: Project) -> None:
    with socket.create_server(("127.0.0.1", int(startable.environ["DB_PORT"]))):
        line = only_line(startable.mysql("start"))
    assert "taken by something that is not a MySQL server: stop it, or set another DB_PORT" in line


def test_a_refused_password_is_one_line(project: Project, mysql_server: Login) -> None:
    port = str(mysql_server.port)
    for command in ("start", "setup"):
        line = only_line(project.mysql(command, DB_HOST=mysql_server.host, DB_PORT=port))
        assert "refuse" in line
        assert port in line


@pytest.mark.parametrize("made_by", ["MariaDB 99.1.2", "MySQL 99.1.2"])
def test_data_of_another_version_is_one_line(startable: Project, made_by: str) -> None:
    data = startable.folder / ".mysql/data"
    data.mkdir(parents=True)
    (data / "made-by").write_text(made_by)
    line = only_line(startable.mysql("start"))
    assert f"was made by {made_by}" in line
    assert "set MYSQLD" in line


def test_no_server_program_is_one_line(project: Project) -> None:
    line = only_line(project.mysql("start", MYSQLD="/nowhere/mysqld"))
    assert "no server program at /nowhere/mysqld: install one" in line


def test_a_program_of_another_kind_is_one_line(project: Project) -> None:
    line = only_line(project.mysql("start", MYSQLD=sys.executable))
    assert "is not a MySQL or MariaDB server program" in line


def test_a_database_elsewhere_is_not_started_here(project: Project) -> None:
    line = only_line(project.mysql("start", DB_HOST="127.0.0.2"))
    assert "DB_HOST is not this machine" in line


def test_changed_settings_are_taken_over_at_the_next_start(startable: Project) -> None:
    startable.mysql("start")
    line = only_line(startable.mysql("start", DB_PORT=str(free_port())))
    assert "`quart mysql stop`" in line  # and no second server

    for name in ("shop", "stall"):  # the one while it runs, the other while it is stopped
        changed = {"DB_USERNAME": name, "DB_PASSWORD": "another", "DATABASE_NAME": name}
        done = startable.mysql("start", **changed)
        assert done.returncode == 0, done.stderr
        with startable.login(name, "another").connect() as connection:
            connection.select_db(name)
        wrong = changed | dict.fromkeys(["DB_PASSWORD", "MYSQL_ROOT_PASSWORD"], "wrong")
        line = only_line(startable.mysql("start", **wrong))
        assert "restore MYSQL_ROOT_PASSWORD" in line
        startable.mysql("stop")


@pytest.mark.parametrize("moment", MOMENTS)
def test_nothing_outlives_a_first_start_that_is_killed_while_the_server_gets(
    startable: Project, moment: str
) -> None:
    with startable.begin("start") as starter:
        wait_until(lambda: server_runs(startable.folder, MOMENTS[moment]))
        starter.kill()
    wait_until(lambda: not processes(startable.folder))
    assert list(startable.folder.glob(".mysql/*unfinished-*")) == []
    again = startable.mysql("start")
    assert again.returncode == 0, again.stderr
    assert startable.login().answer() is Answer.SERVICE


def test_damaged_notes_are_one_line(startable: Project) -> None:
    startable.mysql("start")
    made_by, pid = (startable.folder / ".mysql/data" / name for name in ("made-by", "mysqld.pid"))
    saved = pid.read_text()
    pid.write_text("")
    assert "has no process id" in only_line(startable.mysql("stop"))
    pid.write_text(saved)
    made_by.rename(startable.folder / "made-by")
    assert only_line(startable.mysql("status")).startswith(f"cannot use {made_by}: No")
    startable.mysql("stop")
    made_by.write_text("")
    assert "does not name a version" in only_line(startable.mysql("start"))


def test_what_a_server_refuses_to_set_up_is_one_line(project: Project, mysql_server: Login) -> None:
    if mysql_server.user != "root":
        pytest.skip("the tests' account is not root")
    project.environ.update(account_settings(mysql_server), DB_USERNAME="u", DATABASE_NAME="d" * 70)
    done = project.mysql("setup")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert "refused to set up" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a small disk")
@pytest.mark.parametrize("megabytes", [1, 24])
def test_a_full_disk_is_one_line(startable: Project, megabytes: int) -> None:
    folder = startable.folder / ".mysql"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("nothing can be mounted here")
    try:
        line = only_line(startable.mysql("start"))
        assert "the disk is full: make room" in line
    finally:
        subprocess.run(["umount", "-l", folder], check=True)  # noqa: S607


def test_setup_makes_what_the_app_needs_and_may_be_repeated(
    project: Project, mysql_server: Login
) -> None:
    if mysql_server.user != "root":
        pytest.skip("the tests' account is not root")
    name = f"setup_test_{secrets.token_hex(4)}"
    project.environ.update(account_settings(mysql_server), DB_USERNAME=name, DATABASE_NAME=name)
    user = Login(mysql_server.host, mysql_server.port, name, AWKWARD)
    try:
        for password in ("first", AWKWARD):
            done = project.mysql("setup", DB_PASSWORD=password)
            assert done.returncode == 0, done.stderr
        with user.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE TABLE {name}.t (n INT)")
            cursor.execute(f"CREATE DATABASE {name}_test_1")
            cursor.execute(f"DROP DATABASE {name}_test_1")
            with pytest.raises(Exception, match="denied"):
                # The underscore of the name is no wildcard in what was granted.
                cursor.execute(f"CREATE DATABASE {name.replace('_', 'X', 1)}")
    finally:
        with mysql_server.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {identifier(name)}")
            cursor.execute(f"DROP USER {identifier(name)}")
