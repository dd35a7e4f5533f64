"""The copies of the schema, which tests have in place of the migrations."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pymysql.constants import CLIENT

import settings
from tests.support.project import ALEMBIC
from throwaway_mysql import AlembicSchema, Login
from throwaway_mysql.databases.database import throwaway_database
from throwaway_mysql.schemas.clone import fill
from throwaway_mysql.schemas.digest import differences, lines
from throwaway_mysql.testing.looking import rows


@pytest.fixture
def names(mysql_server: Login) -> Iterator[list[str]]:
    """Make two empty databases; return their names."""
    with ExitStack() as stack:
        made = [throwaway_database(mysql_server, settings.DATABASE_NAME) for _ in range(2)]
        yield [str(stack.enter_context(one)["DATABASE_NAME"]) for one in made]


def description(login: Login, database: str) -> list[str]:
    """Return what tells one schema from another."""
    with login.connect(client_flag=CLIENT.MULTI_STATEMENTS) as connection:
        connection.select_db(database)
        return lines(connection, database, positions=True)


def test_a_copy_is_what_the_migrations_make(
    mysql_server: Login, names: list[str], tmp_path: Path
) -> None:
    schema = AlembicSchema(ALEMBIC)
    filled = [fill(mysql_server, name, schema, tmp_path) for name in names]
    assert [one.cloned for one in filled] == [False, True]
    made, copied = names
    assert differences(description(mysql_server, made), description(mysql_server, copied)) == ""
    assert rows(mysql_server, made) == rows(mysql_server, copied)
    assert rows(mysql_server, copied)["alembic_version"]
