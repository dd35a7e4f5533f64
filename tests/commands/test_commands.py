"""`quart mysql` uses this project's settings; the harness tests what it does."""

import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import commands
import settings
from tests.support.project import account_settings
from tests.support.serving import free_port
from throwaway_mysql import Login

AWKWARD = "%s%%@:/#?&;'\"`\\ $é☃"
ROOT_PASSWORD = "r%o'o\"t☃"  # noqa: S105 (a test's own)

Mysql = Callable[..., Result]


@pytest.fixture
def mysql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mysql]:
    """Return a function that runs `quart mysql`, with a private server of the test's own."""
    monkeypatch.setattr(commands, "FOLDER", tmp_path / ".mysql")
    own = {
        "DB_HOST": "127.0.0.1",
        "DB_PORT": free_port(),
        "DB_TLS": "off",
        "DB_USERNAME": "counter_user",
        "DB_PASSWORD": AWKWARD,
        "DATABASE_NAME": "counter",
        "MYSQL_ROOT_PASSWORD": ROOT_PASSWORD,
    }

    def run(command: str, **changes: object) -> Result:
        for name, value in {**own, **changes}.items():
            monkeypatch.setattr(settings, name, value)
        return CliRunner().invoke(commands.mysql, [command])

    yield run
    run("stop")


def test_a_private_server_serves_the_settings(mysql: Mysql, mysql_program: str) -> None:
    started = mysql("start", MYSQLD=mysql_program)
    assert re.search(f"private .* at .*:{settings.DB_PORT}", started.stdout), started.stderr
    for login in commands.logins():
        login.connect().close()
    for command in ("start", "status"):  # if a server answers, none is started
        assert mysql(command).stdout.startswith("the private M")
    assert mysql("stop").stdout == "the private server has stopped\n"
    assert mysql("status").exit_code == 3


def test_setup_makes_what_the_app_needs_and_may_be_repeated(
    mysql: Mysql, mysql_root: Login
) -> None:
    name = f"setup_test_{secrets.token_hex(4)}"
    there = {**account_settings(mysql_root), "DB_PORT": mysql_root.port}
    there |= {"DB_USERNAME": name, "DATABASE_NAME": name}
    try:
        for password in ("first", AWKWARD):
            done = mysql("setup", **there | {"DB_PASSWORD": password})
            assert done.exit_code == 0, done.stderr
        _, user = commands.logins()
        with user.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE TABLE {name}.t (n INT)")
            cursor.execute(f"CREATE DATABASE {name}_test_1")
            cursor.execute(f"DROP DATABASE {name}_test_1")
            with pytest.raises(Exception, match="denied"):
                # The underscore in the name is not a wildcard in the grant.
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
    mysql: Mysql, command: str, changes: dict[str, str], line: str
) -> None:
    done = mysql(command, **changes)
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert line in done.stderr
    assert AWKWARD not in done.stderr
    assert ROOT_PASSWORD not in done.stderr
