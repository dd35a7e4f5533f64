"""Alembic on the app's settings: up, down, offline, in step with the models."""

import re
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from counter.tally.packet import ALL
from testing import ALEMBIC, PROGRAMS, PROJECT, connected
from throwaway_mysql.databases.database import Coordinates
from throwaway_mysql.login import Login
from throwaway_mysql.migration_tests import (  # noqa: F401 (pytest collects them)
    test_each_revision_goes_down_and_up_again,
    test_models_and_migrations_agree,
    test_no_recorded_revision_was_rewritten,
    test_there_is_one_head,
    test_up_down_up_leaves_the_same_schema,
)
from throwaway_mysql.schemas.alembic_project import AlembicProject
from throwaway_mysql.servers.port import free_port

TUTORIAL = "2abbbb3287d2"
ONE_ROW = "8d1f6c0a4b27"
NAMED = "b3f2a6d81c70"

Alembic = Callable[..., subprocess.CompletedProcess[str]]
Upgrade = Callable[[str], None]


@pytest.fixture
def connection(empty_database: Coordinates) -> Iterator[Connection]:
    """Connect to that database."""
    with connected(empty_database) as connection:
        yield connection


@pytest.fixture
def alembic(empty_database: Coordinates, server_environ: dict[str, str]) -> Alembic:
    """Return the command line of Alembic on that database."""

    def run(
        *arguments: str, cwd: Path = PROJECT, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [PROGRAMS / "alembic", *arguments],
            cwd=cwd,
            env=server_environ | empty_database.environ() | environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    return run


@pytest.fixture
def upgrade(mysql_server: Login, empty_database: Coordinates) -> Upgrade:
    """Return a function that upgrades that database to a revision, in this process."""
    return AlembicProject(ALEMBIC, mysql_server, empty_database["DATABASE_NAME"]).upgrade


def counters(connection: Connection) -> list[tuple[str, int, int]]:
    """Return each counter's name, count and start."""
    return [
        tuple(row)
        for row in connection.execute(
            text("SELECT name, count, start FROM counter WHERE hour = " + ALL)
        )
    ]


def test_down_and_up_again_keeps_the_count(
    alembic: Alembic, upgrade: Upgrade, connection: Connection
) -> None:
    upgrade("head")
    for name, count in (("default/home", 41), ("other/one", 99)):
        connection.execute(
            text(f"INSERT INTO counter VALUES ({ALL}, '{name}', {count}, 0, NOW(), NOW())")
        )
    alembic("downgrade", TUTORIAL)
    assert connection.execute(text("SELECT id, count FROM counter")).all() == [(1, 41)]
    connection.execute(text("INSERT INTO counter (count) VALUES (NULL)"))  # as it could there
    upgrade("head")
    assert counters(connection) == [("default/home", 41, 41)]
    alembic("downgrade", "base")
    assert inspect(connection).get_table_names() == ["alembic_version"]


@pytest.mark.parametrize(
    ("rows", "count"),
    [
        ("", 0),
        ("(1, NULL)", 0),
        ("(1, 7)", 7),
        ("(1, 61), (2, 3), (5, 60), (9, NULL)", 61),
        ("(3, 2147483647)", 2147483647),
    ],
    ids=["no row", "a null", "one row", "rows of a race", "the highest number"],
)
def test_a_database_made_by_the_tutorial_keeps_its_count(
    upgrade: Upgrade, connection: Connection, rows: str, count: int
) -> None:
    # As the tutorial's Alembic leaves it.
    connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)"))
    connection.execute(text(f"INSERT INTO alembic_version VALUES ('{TUTORIAL}')"))
    connection.execute(
        text(
            "CREATE TABLE counter (id INTEGER NOT NULL AUTO_INCREMENT, count INTEGER, "
            "PRIMARY KEY (id)) CHARACTER SET latin1"
        )
    )
    if rows:
        connection.execute(text(f"INSERT INTO counter VALUES {rows}"))
    upgrade("head")
    assert counters(connection) == ([("default/home", count, count)] if count else [])


def test_an_upgrade_that_was_cut_short_is_taken_up_again(
    upgrade: Upgrade, connection: Connection
) -> None:
    upgrade(TUTORIAL)
    connection.execute(text("INSERT INTO counter VALUES (4, 12)"))
    for before, after in ((TUTORIAL, ONE_ROW), (ONE_ROW, NAMED), (NAMED, "head")):
        upgrade(after)
        # All was done but the note of it, and a table of an earlier try is left.
        connection.execute(text(f"UPDATE alembic_version SET version_num = '{before}'"))
        connection.execute(text("CREATE TABLE counter_new (id INT)"))
        upgrade(after)
    assert counters(connection) == [("default/home", 12, 12)]


def test_a_downgrade_that_was_cut_short_is_taken_up_again(
    alembic: Alembic, upgrade: Upgrade, connection: Connection
) -> None:
    upgrade("head")
    for name, count in (("default/home", 7), ("other/one", 99)):
        connection.execute(
            text(f"INSERT INTO counter VALUES ({ALL}, '{name}', {count}, 0, NOW(), NOW())")
        )
    note = text("UPDATE alembic_version SET version_num = :revision")
    head = connection.scalar(text("SELECT version_num FROM alembic_version"))
    alembic("downgrade", NAMED)
    connection.execute(note, {"revision": head})  # as if all was done but the note of it
    alembic("downgrade", ONE_ROW)
    # All was done but the constraint and the note of it.
    connection.execute(text("ALTER TABLE counter DROP CONSTRAINT ck_counter_single_row"))
    connection.execute(note, {"revision": NAMED})
    alembic("downgrade", ONE_ROW)
    assert connection.execute(text("SELECT id, count FROM counter")).all() == [(1, 7)]


@pytest.mark.parametrize(
    ("way", "start", "cut"),
    [
        ("upgrade", "DELETE FROM alembic_version", "head"),
        ("downgrade", "DROP TABLE counter", "base"),
    ],
)
def test_the_first_revision_that_was_cut_short_is_taken_up_again(
    alembic: Alembic, upgrade: Upgrade, connection: Connection, way: str, start: str, cut: str
) -> None:
    upgrade(TUTORIAL)
    connection.execute(text(start))  # its table was made, or dropped, and the note is missing
    alembic(way, cut)


@pytest.mark.parametrize(
    "statement",
    [
        f"INSERT INTO counter VALUES ({ALL}, 'a/b', 5, 0, NOW(), NOW())",
        "UPDATE counter SET count = NULL",
        "UPDATE counter SET count = -1",
        "UPDATE counter SET updated = NULL",
    ],
)
def test_the_schema_holds_a_name_once_and_a_number(
    upgrade: Upgrade, connection: Connection, statement: str
) -> None:
    upgrade("head")
    connection.execute(text(f"INSERT INTO counter VALUES ({ALL}, 'a/b', 0, 0, NOW(), NOW())"))
    connection.execute(text(f"INSERT INTO counter VALUES ({ALL}, 'A/b', 0, 0, NOW(), NOW())"))
    with pytest.raises(DBAPIError):
        connection.execute(text(statement))
    connection.execute(text(f"UPDATE counter SET count = {2**64 - 1}"))


def test_tables_say_utf8mb4_and_innodb(upgrade: Upgrade, connection: Connection) -> None:
    connection.execute(text("ALTER DATABASE CHARACTER SET latin1"))
    upgrade("head")
    made = connection.execute(text("SHOW CREATE TABLE counter")).one()[1]
    assert "CHARSET=utf8mb4" in made
    assert "ENGINE=InnoDB" in made
    assert "CHARACTER SET ascii COLLATE ascii_bin" in made


def test_offline_sql_makes_the_same_database(
    alembic: Alembic, connection: Connection, empty_database: Coordinates, mysql_server: Login
) -> None:
    script = alembic("upgrade", "head", "--sql").stdout
    with mysql_server.connect() as client, client.cursor() as cursor:
        client.select_db(empty_database["DATABASE_NAME"])
        statements = [line for line in script.splitlines() if not line.startswith("--")]
        for statement in filter(str.strip, "\n".join(statements).split(";")):
            cursor.execute(statement)
    assert counters(connection) == []
    assert "No new upgrade operations detected" in alembic("check").stdout


def test_offline_sql_needs_no_database_and_shows_no_password(alembic: Alembic) -> None:
    nowhere = {"DB_PORT": str(free_port()), "DB_PASSWORD": "never-shown"}
    done = alembic("upgrade", "head", "--sql", **nowhere)
    assert "CREATE TABLE counter" in done.stdout
    assert "never-shown" not in done.stdout + done.stderr


def test_two_upgrades_at_once_take_turns(alembic: Alembic) -> None:
    with ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(alembic, "upgrade", "head") for _ in range(3)]
        assert all(run.result().returncode == 0 for run in runs)
    assert alembic("current").stdout.endswith("(head)\n")


def test_autogenerate_writes_what_is_new_in_the_models(
    alembic: Alembic, upgrade: Upgrade, project_copy: Path
) -> None:
    upgrade("head")
    with (project_copy / "counter/models.py").open("a") as models:
        models.write(
            "from sqlalchemy import Integer\n"
            'counter_table.append_column(Column("shop", Integer))\n'
            'Table("shop", metadata, Column("id", Integer, primary_key=True))\n'
        )
    alembic("revision", "--autogenerate", "-m", "open a shop", cwd=project_copy)
    (revision,) = project_copy.glob("migrations/versions/*_open_a_shop.py")
    for operation in ("op.create_table('shop'", "op.add_column('counter'"):
        assert operation in revision.read_text()
    alembic("upgrade", "head", cwd=project_copy)
    assert "No new upgrade operations detected" in alembic("check", cwd=project_copy).stdout


def test_revisions_import_nothing_that_changes() -> None:
    revisions = list(PROJECT.glob("migrations/versions/*.py"))
    assert revisions
    for revision in revisions:
        imported = re.findall(r"^ *(?:from|import) (\w+)", revision.read_text(), re.M)
        assert set(imported) <= {"alembic", "sqlalchemy", "typing"}, revision
