"""`quart mysql` is wired to this project's settings; the harness has the tests of what it does."""

import re
import secrets
import subprocess
import sys

import pytest

from tests.support.mysql_command import AWKWARD, ROOT_PASSWORD, MysqlCommand, only_line
from tests.support.project import Environ, account_settings
from throwaway_mysql import Login, ServerError


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
    startable.login("root", ROOT_PASSWORD).connect().close()
    with pytest.raises(ServerError, match="denied"):
        startable.login("root", "").connect()
    startable.query("CREATE TABLE counter.preserved AS SELECT 42 AS n")

    status = startable.mysql("status")
    assert status.returncode == 0
    assert status.stdout.startswith("the private server (M")

    assert startable.mysql("stop").stdout == "the private server has stopped\n"
    assert startable.mysql("status").returncode == 3
    assert startable.mysql("stop").stdout == "the private server is not running\n"

    assert startable.mysql("start").returncode == 0
    assert startable.query("SELECT n FROM counter.preserved") == ((42,),)


def test_where_a_server_answers_none_is_started(
    project: MysqlCommand, server_environ: Environ
) -> None:
    names = ("DB_HOST", "DB_PORT", "DB_USERNAME", "DB_PASSWORD")
    environ = {name: server_environ[name] for name in names}
    done = project.mysql("start", DATABASE_NAME="information_schema", **environ)
    assert re.match("a (MariaDB|MySQL) server answers at ", done.stdout), done.stderr
    assert not (project.folder / ".mysql").exists()


def test_setup_makes_what_the_app_needs_and_may_be_repeated(
    project: MysqlCommand, mysql_root: Login
) -> None:
    name = f"setup_test_{secrets.token_hex(4)}"
    project.environ.update(account_settings(mysql_root), DB_USERNAME=name, DATABASE_NAME=name)
    user = Login(mysql_root.host, mysql_root.port, name, AWKWARD)
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
        with mysql_root.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {name}")
            cursor.execute(f"DROP USER {name}")


@pytest.mark.parametrize(
    ("command", "changes", "line"),
    [
        ("start", {"MYSQLD": "/nowhere/mysqld"}, "no server program at /nowhere/mysqld"),
        ("start", {"DB_HOST": "127.0.0.2"}, "DB_HOST is not this machine"),
        ("setup", {}, "answers at 127.0.0.1"),
    ],
)
def test_what_cannot_be_done_is_one_line_without_a_password(
    project: MysqlCommand, command: str, changes: dict[str, str], line: str
) -> None:
    assert line in only_line(project.mysql(command, **changes))


def test_a_refused_password_is_one_line(project: MysqlCommand, mysql_server: Login) -> None:
    port = str(mysql_server.port)
    for command in ("start", "setup"):
        line = only_line(project.mysql(command, DB_HOST=mysql_server.host, DB_PORT=port))
        assert "refuse" in line
        assert port in line
