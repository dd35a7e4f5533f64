"""MySQL's JSON, whose text does not tell all types: no copy is made of it, nor is it put back."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from unittest.mock import ANY

import pytest

from throwaway_mysql import CallableSchema, ServerError
from throwaway_mysql.databases.database import throwaway_database
from throwaway_mysql.databases.ownership import Run
from throwaway_mysql.login import Login
from throwaway_mysql.schemas.clone import Filled, fill
from throwaway_mysql.schemas.original import Original
from throwaway_mysql.testing.looking import rows, run

NewDatabase = Callable[[], str]
TABLE = 'CREATE TABLE `a``b` (id INT AUTO_INCREMENT PRIMARY KEY, found JSON, `v"{}` JSON)'
INSERT = 'INSERT INTO `a``b` (found, `v"{{}}`) VALUES ({}, {})'
LOST = {
    "DATE": "CAST(CAST('2020-01-01' AS DATE) AS JSON)",
    "TIME": "JSON_OBJECT('a', JSON_ARRAY(1, CAST('10:00' AS TIME)))",
    "DATETIME": "JSON_ARRAY(JSON_ARRAY(JSON_ARRAY(NOW())))",
    "DECIMAL": """JSON_OBJECT('a b"c', CAST(12.3456 AS DECIMAL(8, 4)))""",
    "BLOB": "JSON_ARRAY(JSON_OBJECT('a', CAST('b' AS BINARY)))",
}
KEPT = (
    "NULL",
    "'null'",
    "'3'",
    "'[]'",
    '\'{"a": [1, 2.5, "2020-01-01", null, true, {"b": {}}], "c": 18446744073709551615}\'',
    f"'{'[' * 20}1e300{']' * 20}'",
)


@pytest.fixture
def mysql(mysql_server: Login) -> Login:
    """Return the server if its JSON is more than text."""
    with mysql_server.connect() as connection:
        if "MariaDB" in connection.get_server_info():  # type: ignore[no-untyped-call]
            pytest.skip("MariaDB's JSON is text")
    return mysql_server


@pytest.mark.parametrize("kind", LOST)
@pytest.mark.parametrize("column", [0, 1])
def test_a_value_that_its_text_does_not_tell_is_made_each_time(
    mysql: Login, new_database: NewDatabase, tmp_path: Path, kind: str, column: int
) -> None:
    values = [LOST[kind], "'{}'"] if column == 0 else ["'{}'", LOST[kind]]

    def make(login: Login, database: str) -> None:
        run(login, database, TABLE, INSERT.format("NULL", "'[1]'"), INSERT.format(*values))

    why = f"the table a`b has JSON with a {kind}, which its text does not tell"
    for _ in range(2):
        filled = fill(mysql, new_database(), CallableSchema(make, also=(), version="1"), tmp_path)
        assert filled == Filled(seconds=ANY, note=f"not copied: {why}")


def make_kept(login: Login, database: str) -> None:
    """Make rows of JSON that its text tells."""
    run(login, database, TABLE, *(INSERT.format(value, value) for value in KEPT))


def test_one_that_it_tells_is_copied(
    mysql_server: Login, new_database: NewDatabase, tmp_path: Path
) -> None:
    schema = CallableSchema(make_kept, also=())
    fill(mysql_server, made := new_database(), schema, tmp_path)
    assert fill(mysql_server, copied := new_database(), schema, tmp_path).cloned
    assert rows(mysql_server, made) == rows(mysql_server, copied)


def test_what_its_text_does_not_tell_is_not_put_back(mysql: Login, prefix: str) -> None:
    with closing(Run.begin(prefix)) as owner, throwaway_database(mysql, "", owner) as coordinates:
        name = coordinates["DATABASE_NAME"]
        run(mysql, name, TABLE, INSERT.format("'[]'", LOST["DATE"]))
        with pytest.raises(ServerError, match=r"JSON with a DATE, .* set mysql_database = test$"):
            Original(mysql, name, owner)
