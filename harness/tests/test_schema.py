"""Sources of a schema: functions, async or not, and SQL files."""

import asyncio
import logging.config
import sys
from pathlib import Path

import pytest
from support.sql import run

from throwaway_mysql import CallableSchema, SqlSchema
from throwaway_mysql.databases import Databases
from throwaway_mysql.errors import ServerError
from throwaway_mysql.login import Login
from throwaway_mysql.schema import AlembicSchema, statements


@pytest.fixture
def account(narrow: Login) -> Login:
    """Return the one account of these tests."""
    return narrow


def make(login: Login, database: str) -> None:
    run(login, database, "CREATE TABLE t (n INT)")


async def make_later(login: Login, database: str) -> None:
    await asyncio.sleep(0)
    make(login, database)


async def seed_later(login: Login, database: str) -> None:
    await asyncio.sleep(0)
    run(login, database, "INSERT INTO t VALUES (7)")


async def fails(login: Login, database: str) -> None:
    raise LookupError(login.user, database)


def test_what_is_async_is_run_to_its_end(databases: Databases) -> None:
    for call in (make, make_later):
        name = databases.create().name
        CallableSchema(call, seed_later).make(databases.login, name)
        assert run(databases.login, name, "SELECT * FROM t") == [(7,)]


async def test_it_is_run_where_a_loop_is_running_and_raises_its_own_error(
    databases: Databases,
) -> None:
    name = databases.create().name
    CallableSchema(make_later).make(databases.login, name)
    with pytest.raises(LookupError, match=name):
        CallableSchema(fails).make(databases.login, name)


def silences(login: Login, database: str) -> None:  # noqa: ARG001 (so called)
    """Configure logging as a project's env.py does for its command line."""
    logging.config.dictConfig({"version": 1, "root": {"level": "ERROR"}})


def exits(login: Login, database: str) -> None:  # noqa: ARG001 (so called)
    sys.exit(1)


def test_a_function_leaves_the_tests_their_loggers(
    narrow: Login, caplog: pytest.LogCaptureFixture
) -> None:
    shop = logging.getLogger("shop")
    CallableSchema(silences).make(narrow, "")
    shop.warning("heard")
    assert caplog.messages == ["heard"]


def test_a_function_that_ends_the_program_is_one_line(narrow: Login) -> None:
    with pytest.raises(ServerError, match="exits ended with 1: its output above says why"):
        CallableSchema(exits).make(narrow, "")


SCRIPT = r"""-- MariaDB dump 10.19  Distrib 10.11; `it's
/*!40101 SET @saved = @@character_set_client */;
# a comment; with 'quotes
CREATE TABLE `odd;``name` (a VARCHAR(30) DEFAULT 'it''s; "x', b INT COMMENT "a;\"b"); -- the end;
INSERT INTO `odd;``name` (a, b) VALUES ('\'; é🙂', 1),
  ("--;", 2);
/* several
   lines; */
delimiter //
CREATE PROCEDURE p()
BEGIN
  SELECT 1; -- // is no end here
  SELECT 'a//';
END//
CREATE TRIGGER t BEFORE INSERT ON `odd;``name` FOR EACH ROW BEGIN SET @x = 1; SET NEW.b = 9; END //
  DELIMITER ;
INSERT INTO `odd;``name` (a) VALUES ('last')"""


def test_a_file_of_sql_is_a_schema(databases: Databases, tmp_path: Path) -> None:
    path = tmp_path / "schema.sql"
    path.write_bytes(b"\xef\xbb\xbf" + SCRIPT.replace("\n", "\r\n").encode())
    login, name = databases.login, databases.create().name
    SqlSchema(path, seed_later_of_odd).make(login, name)
    rows = run(login, name, "SELECT a, b FROM `odd;``name` ORDER BY BINARY a")
    assert rows == [("'; é🙂", 1), ("--;", 2), ("last", 9), ("seed", 9)]
    run(login, name, "CALL p()")


async def seed_later_of_odd(login: Login, database: str) -> None:
    run(login, database, "INSERT INTO `odd;``name` (a) VALUES ('seed')")


def test_statements_end_where_the_mysql_client_ends_them() -> None:
    found = [
        (line, text.decode())
        for line, text in statements(b"a;\n\nb 'x;\ny';;\nDELIMITER $$\nc;d$$\n e")
    ]
    assert found == [(1, "a"), (3, "b 'x;\ny'"), (4, ""), (6, "c;d"), (7, "e")]
    assert [text for _, text in statements(b"SELECT 'open; ")] == [b"SELECT 'open;"]


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("CREATE TABLE a (n INT);\n\nCREATE NOTHING;\n", 3, "You have an error in your SQL syntax"),
        ("SELECT 1;\nUSE mysql;", 2, "'USE' would use another database: remove it"),
        ("create database shop;", 1, "'create database' would use another database"),
        ("-- why\n/* so */ USE `mysql`;", 2, "'USE' would use another database"),
        ("/*!40000 DROP DATABASE IF EXISTS `shop`*/;", 1, "'DROP DATABASE' would use another"),
    ],
)
def test_a_statement_that_fails_or_leads_elsewhere_is_one_line(
    databases: Databases, tmp_path: Path, text: str, line: int, reason: str
) -> None:
    path = tmp_path / "schema.sql"
    path.write_text(text)
    with pytest.raises(ServerError) as error:
        SqlSchema(path).make(databases.login, databases.create().name)
    assert str(error.value).startswith(f"{path}:{line}: {reason}")
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_one_line(narrow: Login, tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"there is no .*none\.sql: correct the path"):
        SqlSchema(tmp_path / "none.sql").make(narrow, "any")


@pytest.mark.parametrize("package", ["alembic", "sqlalchemy"])
def test_migrations_without_their_packages_are_one_line(
    monkeypatch: pytest.MonkeyPatch, narrow: Login, package: str
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "throwaway_mysql.migrations", raising=False)
    monkeypatch.setitem(sys.modules, package, None)  # it cannot be imported
    with pytest.raises(
        ServerError, match=r"AlembicSchema needs .*: pip install alembic sqlalchemy"
    ):
        AlembicSchema("alembic.ini").make(narrow, "any")
