"""The command, as a person runs it."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from importlib import metadata
from pathlib import Path

import pytest

from throwaway_mysql.databases.database import throwaway_database
from throwaway_mysql.databases.ownership import Run
from throwaway_mysql.databases.place import Place
from throwaway_mysql.login import Answer, Login
from throwaway_mysql.servers.port import free_port
from throwaway_mysql.servers.program import find_program
from throwaway_mysql.testing.looking import databases, unused, wait_until

Start = Callable[..., tuple["subprocess.Popen[str]", str]]
Command = Callable[..., "subprocess.CompletedProcess[str]"]


KEEPS = """
import json, sys
from throwaway_mysql.databases.database import keep, throwaway_database
from throwaway_mysql.login import Login
from throwaway_mysql.databases.ownership import Run

login, prefix = json.loads(sys.stdin.readline())
login, run = Login(**login), Run.begin(prefix)
with throwaway_database(login, "", run) as coordinates:
    keep(login, coordinates["DATABASE_NAME"], run)
run.close()
print(coordinates["DATABASE_NAME"], flush=True)
"""


def throwaway_mysql(
    *arguments: object, password: str | None = None, folder: Path | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run the command, in `folder` if that is given."""
    environ = {name: value for name, value in os.environ.items() if name != "MYSQL_PWD"}
    return subprocess.run(
        [sys.executable, "-m", "throwaway_mysql", *map(str, arguments)],
        env=environ if password is None else environ | {"MYSQL_PWD": password},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def command(account: Login, prefix: str) -> Command:
    """Return a function that runs the command at the tests' server."""
    address = ["--host", account.host, "--port", account.port, "--user", account.user]

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        done = throwaway_mysql(*arguments, *address, "--prefix", prefix, password=account.password)
        assert account.password not in done.stdout + done.stderr
        return done

    return run


def test_it_lists_what_lives_and_drops_what_was_left(
    command: Command, account: Login, prefix: str, start_run: Start
) -> None:
    process, name = start_run(account, prefix)
    for words in (["list"], ["sweep"], ["sweep", "--kept"]):
        done = command(*words)
        assert done.stdout == f"{name}  live: process {process.pid} runs\n"
        assert (done.returncode, done.stderr) == (0, "")
    process.kill()
    process.wait()
    wait_until(lambda: command("list").stdout == f"{name}  left: its run has ended\n")
    assert command("sweep", "--spare", name).stdout == f"{name}  foreign: it is the project's own\n"
    assert command("sweep").stdout == f"{name}  dropped\n"
    assert name not in databases(account)
    assert command("list").stdout == ""


def test_a_list_of_nothing_says_so(command: Command, account: Login, prefix: str) -> None:
    done = command("list")
    line = f"no database at {account.address} begins with {prefix}\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, "", line)
    with Place(account) as place:
        place.rows(f"CREATE DATABASE {prefix}own")
    done = command("list")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == (
        f"no database at {account.address} that begins with {prefix} is a run's: "
        "1 without a run's name and marker stay as they are\n"
    )


def test_it_tells_its_version_and_its_defaults() -> None:
    said = throwaway_mysql("--version").stdout
    assert said == f"throwaway-mysql {metadata.version('throwaway-mysql')}\n"
    for words, user in ((["list"], "root"), (["server"], "throwaway")):
        told = " ".join(throwaway_mysql(*words, "--help").stdout.split())
        for default in ("127.0.0.1", "3306", user):
            assert f"by default {default}" in told


def test_what_is_kept_goes_when_it_says_so(
    command: Command, account: Login, prefix: str, start_run: Start
) -> None:
    process, name = start_run(account, prefix, KEEPS)
    assert process.wait() == 0
    wait_until(lambda: unused(account, name, prefix))
    assert command("sweep").stdout == f"{name}  kept: its run has ended, and wanted it kept\n"
    assert command("sweep", "--kept").stdout == f"{name}  dropped\n"


def test_a_transaction_in_what_was_left_goes_on(
    command: Command, account: Login, prefix: str, start_run: Start
) -> None:
    process, name = start_run(account, prefix)
    with Place(account) as persons, ThreadPoolExecutor() as pool:
        persons.rows(f"CREATE TABLE {name}.t (n INT)")
        process.kill()
        process.wait()
        wait_until(lambda: "left" in command("list").stdout)
        persons.rows("BEGIN")
        persons.rows(f"SELECT * FROM {name}.t")
        sweeping: list[Future[subprocess.CompletedProcess[str]]] = []

        def is_met() -> bool:
            """Begin a sweep; tell whether it was seen to drop before it gave that up."""
            sweeping.append(pool.submit(command, "sweep"))
            wait_until(lambda: sweeping[-1].done() or drops(account, name))
            return not sweeping[-1].done()

        wait_until(is_met)
        persons.connection.select_db(name)  # after it has seen that nobody uses it
        done = sweeping[-1].result()
        assert re.fullmatch(rf"{name}  live: .+ has locks in it\n", done.stdout)
        assert persons.rows("SELECT * FROM t") == []
        assert command("sweep").stdout.startswith(f"{name}  live: connection {persons.id} of ")
    wait_until(lambda: "left" in command("list").stdout)
    assert command("sweep").stdout == f"{name}  dropped\n"


def drops(account: Login, name: str) -> bool:
    """Tell whether a connection is dropping a database."""
    with Place(account) as place:
        queries = [str(row[7]) for row in place.rows("SHOW PROCESSLIST")]
    return any(query.startswith("DROP") and name in query for query in queries)


def test_a_second_sweep_says_that_there_is_one(
    command: Command, account: Login, prefix: str
) -> None:
    with Place(account) as place, place.locked(f"throwaway-mysql sweep {prefix}"):
        done = command("sweep")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "another sweep is under way\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--host", "192.0.2.1"], "192.0.2.1:3306 is not this machine"),
        (["--prefix", "shop"], "'shop' cannot begin the names of throwaway databases"),
        (["--port", "1"], "no server answers at 127.0.0.1:1"),
        (["--socket", "/nowhere/sock"], "no server answers at /nowhere/sock"),
    ],
)
def test_an_error_is_one_line(arguments: list[str], line: str) -> None:
    done = throwaway_mysql("list", "--prefix", "shop_test_", *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(line)
    assert len(done.stderr.splitlines()) == 1


def test_a_password_is_no_option(mysql_root: Login) -> None:
    address = ["--host", mysql_root.host, "--port", mysql_root.port]
    done = throwaway_mysql("list", "--prefix", "shop_test_", *address)
    assert "Access denied" in done.stderr
    done = throwaway_mysql("list", "--prefix", "shop_test_", "--password", "x", *address)
    assert done.returncode == 2
    assert "unrecognized arguments: --password" in done.stderr


def test_a_private_server_is_started_and_stopped(mysql_program: str, tmp_path: Path) -> None:
    port, other = free_port(), free_port()
    options = ["--folder", "srv", "--port", port, "--program", mysql_program]

    def server(action: str, *more: object) -> tuple[int, str]:
        words = ("server", action, *options, *more)
        done = throwaway_mysql(*words, password="of a test", folder=tmp_path)  # noqa: S106
        return done.returncode, done.stdout + done.stderr

    login = Login("127.0.0.1", port, "throwaway", "of a test")
    try:
        assert server("status") == (1, f"no server answers at 127.0.0.1:{port}\n")
        status, said = server("start")
        assert (status, said[:10]) == (0, "a private ")
        assert login.answer() is Answer.SERVICE
        family = find_program(mysql_program).family
        assert server("start") == (0, f"a {family} server answers at 127.0.0.1:{port}\n")
        assert server("status")[0] == 0
        assert server("status", "--port", other) == (
            1,
            f"no server answers at 127.0.0.1:{other}; the private server runs at {login.address}\n",
        )
        with closing(Run.begin("throwaway_test_")) as run, throwaway_database(login, "", run):
            pass
    finally:
        assert server("stop") == (0, "the private server has stopped\n")
    assert login.answer() is Answer.NOTHING


def test_errors_of_a_private_server_name_the_commands_own_options(
    mysql_program: str, mysql_server: Login, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/made-by").write_text("MariaDB 99.1.2")

    def refused(*options: object, password: str = "of a test") -> str:  # noqa: S107
        done = throwaway_mysql("server", "start", "--folder", tmp_path, *options, password=password)
        assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
        return done.stderr

    free = ["--port", free_port(), "--program", mysql_program]
    told = {
        "; --host is not this machine": refused("--host", "127.0.0.2", *free),
        "set --program to such a program": refused(*free),
        "; correct MYSQL_PWD, or set another --port": refused(
            *("--host", mysql_server.host, "--port", mysql_server.port),
            password="wrong",  # noqa: S106
        ),
    }
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        told["stop it, or set another --port"] = refused("--port", port)
    assert [line for line, said in told.items() if line not in said] == [], told


def test_a_private_server_needs_a_password(tmp_path: Path) -> None:
    done = throwaway_mysql("server", "start", "--folder", tmp_path / "server")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "the server needs a password for its accounts: set MYSQL_PWD\n"
    assert not (tmp_path / "server").exists()
