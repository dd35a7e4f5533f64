"""The counter's revisions: what they keep, even if interrupted."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import count, pairwise

import pytest
from sqlalchemy import Connection, Engine, bindparam, event, inspect, text
from sqlalchemy.exc import DBAPIError

from counter.batching.sql import ALL
from counter.hits import MAX_COUNT
from counter.models import metadata
from db import TABLE
from throwaway_mysql import AlembicProject

# In order. The tests interrupt each of these revisions at every statement.
REVISIONS = [
    "base",
    "2abbbb3287d2",
    "8d1f6c0a4b27",
    "b3f2a6d81c70",
    "f60c2e94a1d3",
    "c7d94e1b5a20",
    "e4a90d2b7f16",
]
BASE, TUTORIAL, *_, HEAD = REVISIONS


def counters(connection: Connection) -> list[tuple[str, int, int]]:
    """Return each counter's name, count and start."""
    query = f"SELECT name, count, start FROM counter WHERE hour = {ALL}"
    return [tuple(row) for row in connection.execute(text(query))]


def add(connection: Connection, name: str, count: int) -> None:
    """Add a counter."""
    values = f"{ALL}, '{name}', {count}, NOW(), NOW()"
    columns = "hour, name, count, created, updated"
    connection.execute(text(f"INSERT INTO counter ({columns}) VALUES ({values})"))


def test_down_and_up_again_keeps_the_count(
    migrations: AlembicProject, connection: Connection
) -> None:
    migrations.upgrade(HEAD)
    add(connection, "default/home", 41)
    add(connection, "other/one", 99)
    migrations.downgrade(TUTORIAL)
    assert connection.execute(text("SELECT id, count FROM counter")).all() == [(1, 41)]
    connection.execute(text("INSERT INTO counter (count) VALUES (NULL)"))  # as it allowed
    migrations.upgrade(HEAD)
    assert counters(connection) == [("default/home", 41, 41)]
    migrations.downgrade(BASE)
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
    migrations: AlembicProject, connection: Connection, rows: str, count: int
) -> None:
    # The state that the tutorial's Alembic leaves.
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
    migrations.upgrade(HEAD)
    assert counters(connection) == ([("default/home", count, count)] if count else [])


class CutError(Exception):
    """The connection is lost."""


@contextmanager
def cut_before(number: int) -> Iterator[list[str]]:
    """Interrupt migrations before their nth change; yield the statement, if there was one."""
    numbers = count(1)
    done: list[str] = []

    def cut(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith(("SELECT", "SHOW", "DESCRIBE")) and next(numbers) == number:
            done.append(statement)
            raise CutError

    event.listen(Engine, "before_cursor_execute", cut)
    try:
        with suppress(CutError):
            yield done
    finally:
        event.remove(Engine, "before_cursor_execute", cut)


@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.parametrize(
    ("lower", "upper"),
    [
        pytest.param(*pair, marks=[] if HEAD in pair else pytest.mark.slow)  # they stay as they are
        for pair in pairwise(REVISIONS)
    ],
)
def test_a_revision_that_was_cut_short_at_any_statement_is_taken_up_again(
    migrations: AlembicProject, connection: Connection, lower: str, upper: str, way: str
) -> None:
    migrations.upgrade(TUTORIAL)
    connection.execute(text("INSERT INTO counter VALUES (4, 12)"))
    migrations.upgrade(upper)
    there, back = partial(migrations.downgrade, lower), partial(migrations.upgrade, upper)
    if way == "up":
        there, back = back, there
        back()
    there()
    expected = state(connection)
    for number in count(1):
        back()
        with cut_before(number) as done:
            there()
        if not done:
            break
        there()
        assert state(connection) == expected, number
    assert number > 1


def state(connection: Connection) -> tuple[object, object]:
    """Return a description of the schema, and the highest count."""
    tables = connection.execute(text("SHOW TABLES")).scalars().all()
    shown = [connection.execute(text(f"SHOW CREATE TABLE `{table}`")).all() for table in tables]
    counted = "counter" in tables and connection.scalar(text("SELECT MAX(count) FROM counter"))
    return shown, counted


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO counter SELECT * FROM counter WHERE name = 'a/b'",
        "UPDATE counter SET count = NULL",
        "UPDATE counter SET count = -1",
        f"UPDATE counter SET count = {MAX_COUNT + 1}",
        "UPDATE counter SET updated = NULL",
    ],
)
def test_the_schema_holds_a_name_once_and_a_number(
    migrations: AlembicProject, connection: Connection, statement: str
) -> None:
    migrations.upgrade(HEAD)
    add(connection, "a/b", 0)
    add(connection, "A/b", 0)
    with pytest.raises(DBAPIError):
        connection.execute(text(statement))
    connection.execute(text(f"UPDATE counter SET count = {MAX_COUNT}"))


def test_the_schema_is_the_same_whatever_the_database_and_its_tables_had(
    migrations: AlembicProject, connection: Connection
) -> None:
    """They may have had another server's defaults."""
    connection.execute(text("ALTER DATABASE CHARACTER SET latin1"))
    migrations.upgrade("f60c2e94a1d3")  # the one before it says them
    connection.execute(text("ALTER TABLE counter DEFAULT COLLATE utf8mb4_general_ci"))
    connection.execute(text("ALTER TABLE receipt DEFAULT COLLATE utf8mb4_bin"))
    migrations.upgrade(HEAD)
    query = "SELECT default_collation_name FROM information_schema.schemata WHERE schema_name = "
    assert connection.scalar(text(query + "DATABASE()")) == TABLE["mysql_collate"]
    query = (
        "SELECT table_name, engine, table_collation FROM information_schema.tables"
        " WHERE table_schema = DATABASE() AND table_name IN :names"
    )
    names = list(metadata.tables)
    found = connection.execute(text(query).bindparams(bindparam("names", names, expanding=True)))
    same = TABLE["mysql_engine"], TABLE["mysql_collate"]
    assert {row[0]: tuple(row[1:]) for row in found} == dict.fromkeys(names, same)
    made = connection.execute(text("SHOW CREATE TABLE counter")).one()[1]
    assert "CHARACTER SET ascii COLLATE ascii_bin" in made
