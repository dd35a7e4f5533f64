"""`quart mysql`: the private server that keeps its data, and accounts on another."""

import fcntl
import os
import re
import secrets
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.project import AWKWARD, ROOT_PASSWORD, MysqlCommand, account_settings, only_line
from throwaway_mysql.accounts import identifier
from throwaway_mysql.login import Answer, Login
from throwaway_mysql.servers.port import free_port
from throwaway_mysql.servers.program import find_program
from throwaway_mysql.testing.killing import is_killed_at
from throwaway_mysql.testing.looking import MOMENTS, process, processes, wait_until


def test_the_app_starts_without_the_harness(project: MysqlCommand) -> None:
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


def test_a_private_server_serves_the_settings_and_keeps_its_data(startable: MysqlCommand) -> None:
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


def test_a_start_awaits_the_end_of_a_server_that_was_killed(startable: MysqlCommand) -> None:
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
    startable: MysqlCommand, mysql_server: Login
) -> None:
    elsewhere = account_settings(mysql_server) | {"DATABASE_NAME": "information_schema"}
    own = f"a server of your own answers at {mysql_server.address}"
    assert startable.mysql("status", **elsewhere).stdout == f"{own}\n"
    startable.mysql("start")
    output = startable.mysql("status", **elsewhere).stdout
    assert output == f"{own}; the private server runs at {startable.login().address}\n"
    output = startable.mysql("status", DB_PASSWORD="another").stdout  # noqa: S106 (a test's own)
    assert output.endswith("; the private server runs with other settings\n")


def test_the_server_outlives_the_terminal_and_shows_no_password(startable: MysqlCommand) -> None:
    startable.mysql("start")
    assert os.getsid(startable.pid()) != os.getsid(0)
    server = process(startable.pid())
    assert server
    assert "--bind-address=127.0.0.1" in server.command
    for secret in (AWKWARD, ROOT_PASSWORD):
        assert secret not in server.command
    log = (startable.folder / ".mysql/server.log").read_text(errors="replace")
    assert AWKWARD not in log


def test_starts_at_once_make_one_server(startable: MysqlCommand, mysql_program: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda _: startable.mysql("start"), range(4)))
    assert [run.returncode for run in runs] == [0] * 4, [run.stderr for run in runs]
    output = sorted(run.stdout.split(" ")[1] for run in runs)
    assert output == [*[find_program(mysql_program).family] * 3, "private"]


def test_where_a_server_answers_none_is_started(
    project: MysqlCommand, server_environ: dict[str, str]
) -> None:
    names = ("DB_HOST", "DB_PORT", "DB_USERNAME", "DB_PASSWORD")
    environ = {name: server_environ[name] for name in names}
    done = project.mysql("start", DATABASE_NAME="information_schema", **environ)
    assert re.match("a (MariaDB|MySQL) server answers at ", done.stdout), done.stderr
    assert not (project.folder / ".mysql").exists()


def test_changed_settings_are_taken_over_at_the_next_start(startable: MysqlCommand) -> None:
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
    startable: MysqlCommand, moment: str
) -> None:
    is_killed = False
    while not is_killed:
        if (startable.folder / ".mysql").exists():  # of a start that went on for too long
            assert startable.mysql("start").returncode == 0
            startable.mysql("stop")
            shutil.rmtree(startable.folder / ".mysql")
        with startable.begin("start") as starter:
            is_killed = is_killed_at(moment, starter, startable.folder)
    wait_until(lambda: not processes(startable.folder))
    assert list(startable.folder.glob(".mysql/*unfinished-*")) == []
    again = startable.mysql("start")
    assert again.returncode == 0, again.stderr
    assert startable.login().answer() is Answer.SERVICE


def test_setup_makes_what_the_app_needs_and_may_be_repeated(
    project: MysqlCommand, mysql_server: Login
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
