"""Migrations that reach beyond their database: no copy is kept, and the report says why."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import ANY

import pytest

from throwaway_mysql import AlembicSchema
from throwaway_mysql.login import Login
from throwaway_mysql.schemas.clone import Filled, fill
from throwaway_mysql.schemas.outside import outside
from throwaway_mysql.testing.looking import run

NewDatabase = Callable[[], str]
RunProject = Callable[..., "subprocess.CompletedProcess[str]"]
WriteProject = Callable[..., Path]
SHOP = ("op.create_table('shop', sa.Column('id', sa.Integer))", "op.drop_table('shop')")
SCHEMA = """
from pathlib import Path
from throwaway_mysql import AlembicSchema

@pytest.fixture(scope="session")
def mysql_schema():
    return AlembicSchema(Path({!r}))

@pytest.fixture(scope="session")
def mysql_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")
"""
PASSES = "def test_it(create_db): pass\n"


@pytest.fixture
def user(mysql_root: Login, prefix: str) -> Iterator[str]:
    """Return the name of a user that may be made."""
    name = f"{prefix}user"
    yield name
    run(mysql_root, "mysql", f"DROP USER IF EXISTS {name}")


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("CREATE USER IF NOT EXISTS a", "CREATE USER"),
        ("create or replace role a", "CREATE OR REPLACE ROLE"),
        ("ALTER USER a IDENTIFIED BY 'b'", "ALTER USER"),
        ("RENAME\n\tUSER a TO b", "RENAME USER"),
        ("DROP ROLE a", "DROP ROLE"),
        ("GRANT SELECT ON a TO b", "GRANT"),
        ("REVOKE ALL ON a FROM b", "REVOKE"),
        ("SET PASSWORD FOR a = 'b'", "SET PASSWORD"),
        ("SET DEFAULT ROLE a TO b", "SET DEFAULT ROLE"),
        ("SET GLOBAL max_connections = 9", "SET GLOBAL"),
        ("SET @@global.max_connections = 9", "SET GLOBAL"),
        ("SET @a = 'b', persist_only max_connections = 9", "SET PERSIST_ONLY"),
        ("CREATE DATABASE a", "CREATE DATABASE"),
        ("DROP SCHEMA a", "DROP SCHEMA"),
        ("INSTALL PLUGIN a SONAME 'b'", "INSTALL"),
        ("UNINSTALL COMPONENT 'a'", "UNINSTALL"),
        ("CREATE SERVER a FOREIGN DATA WRAPPER mysql OPTIONS (HOST 'b')", "CREATE SERVER"),
        ("CREATE UNDO TABLESPACE a ADD DATAFILE 'b.ibu'", "CREATE UNDO TABLESPACE"),
        ("  /* it's */ -- don't\n# either\nGRANT a TO b", "GRANT"),
        ("--\nGRANT a TO b", "GRANT"),
        ("/*!80000 GRANT a TO b */", "GRANT"),
        ("/*M!100100 SET GLOBAL a = 1 */", "SET GLOBAL"),
        ("CREATE AGGREGATE FUNCTION a RETURNS INT SONAME 'b'", "CREATE AGGREGATE FUNCTION"),
        ("CREATE RESOURCE GROUP a TYPE = USER", "CREATE RESOURCE GROUP"),
        (
            "CREATE OR REPLACE SPATIAL REFERENCE SYSTEM 1",
            "CREATE OR REPLACE SPATIAL REFERENCE SYSTEM",
        ),
        ("INSERT INTO a VALUES ('it''s; \\' ;'); GRANT a TO b", "GRANT"),
    ],
)
def test_a_statement_that_reaches_beyond_its_database_is_heard(sql: str, found: str) -> None:
    assert outside(sql) == found


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "CREATE TABLE user (role INT)",
        "CREATE TABLE `a;GRANT` (b INT)",
        "ALTER DATABASE COLLATE utf8mb4_bin",
        "INSERT INTO a VALUES ('x; GRANT a TO b')",
        'INSERT INTO a VALUES ("x; GRANT a TO b")',
        "SELECT 1 -- ; GRANT a TO b",
        "SELECT 1 /* ; GRANT a TO b */",
        "SET SESSION sql_mode = @@GLOBAL.sql_mode",
        "SET @global = 1",
        "SET ROLE a",
        "CREATE FUNCTION a() RETURNS CHAR(9) RETURN 'SONAME'",
    ],
)
def test_one_that_stays_in_it_is_not(sql: str) -> None:
    assert outside(sql) == ""


@pytest.mark.parametrize(
    "how", ["op.execute({!r})", "op.get_bind().connection.cursor().execute({!r})"]
)
def test_migrations_that_make_a_user_are_run_each_time(
    mysql_root: Login,
    write_project: WriteProject,
    new_database: NewDatabase,
    user: str,
    tmp_path: Path,
    how: str,
) -> None:
    create = how.format(f"/* app */ CREATE USER IF NOT EXISTS {user}")
    schema = AlembicSchema(write_project(SHOP, (create, "pass")))
    note = "not copied: its migrations use CREATE USER, which reaches beyond the database"
    for _ in range(2):
        assert fill(mysql_root, new_database(), schema, tmp_path) == Filled(seconds=ANY, note=note)
        run(mysql_root, "mysql", f"DROP USER {user}")


def test_what_env_does_itself_is_heard(
    mysql_root: Login,
    write_project: WriteProject,
    new_database: NewDatabase,
    user: str,
    tmp_path: Path,
) -> None:
    path = write_project(SHOP)
    env = path.parent / "moves/env.py"
    create = f"connection.exec_driver_sql('CREATE USER IF NOT EXISTS {user}')"
    env.write_text(env.read_text().replace("context.configure(", f"{create}\ncontext.configure("))
    for _ in range(2):
        filled = fill(mysql_root, new_database(), AlembicSchema(path), tmp_path)
        assert filled.note.startswith("not copied: its migrations use CREATE USER")


class Own:
    """A project's own schema."""

    def __init__(self, says: object) -> None:
        self.says = says

    def key(self, server: str) -> str | None:
        """Return what never changes."""
        return f"own {server}"

    def make(self, login: Login, database: str) -> str | None:
        """Make a table."""
        run(login, database, "CREATE TABLE one (a INT)")
        return self.says  # type: ignore[return-value]  # a project may have no types


@pytest.mark.parametrize("says", [None, 7, ""])
def test_a_schema_of_a_projects_own_need_say_nothing(
    mysql_server: Login, new_database: NewDatabase, tmp_path: Path, says: object
) -> None:
    assert fill(mysql_server, new_database(), Own(says), tmp_path) == Filled(seconds=ANY)
    assert fill(mysql_server, new_database(), Own(says), tmp_path).cloned


def test_one_that_says_why_is_made_each_time(
    mysql_server: Login, new_database: NewDatabase, tmp_path: Path
) -> None:
    for _ in range(2):
        filled = fill(mysql_server, new_database(), Own("it has a reason"), tmp_path)
        assert filled == Filled(seconds=ANY, note="not copied: it has a reason")


def test_the_report_tells_why(
    run_project: RunProject, write_project: WriteProject, user: str
) -> None:
    path = write_project(SHOP, (f"op.execute('CREATE USER IF NOT EXISTS {user}')", "pass"))
    done = run_project(
        "--db-report", conftest=SCHEMA.format(str(path)), test_one=PASSES, test_two=PASSES
    )
    assert done.returncode == 0, done.stdout
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("schema: m")]
    why = "not copied: its migrations use CREATE USER, which reaches beyond the database"
    assert line.startswith(f"schema: migrated ({why}) ")
    assert line.removeprefix(f"schema: migrated ({why}) ").split()[0] == "2"
