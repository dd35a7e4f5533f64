"""Rows are what they were after each test, and only what has changed is touched."""

from collections.abc import Iterator
from contextlib import closing

import pymysql
import pytest

from throwaway_mysql import ServerError
from throwaway_mysql.databases import holders
from throwaway_mysql.databases.database import throwaway_database
from throwaway_mysql.databases.ownership import Run
from throwaway_mysql.databases.place import Place
from throwaway_mysql.login import Login
from throwaway_mysql.schemas.original import Original
from throwaway_mysql.testing.looking import rows, run

SEEDED = (
    "CREATE TABLE seeded (id INT AUTO_INCREMENT PRIMARY KEY, name VARBINARY(9), "
    "size INT GENERATED ALWAYS AS (LENGTH(name)) STORED, "
    "at TIMESTAMP DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP)",
    r"INSERT INTO seeded (id, name) VALUES (1, x'00ff27'), (7, '\\')",
    "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'",
    "INSERT INTO seeded (id, name) VALUES (0, NULL)",
    "CREATE TABLE bare (id INT PRIMARY KEY, seeded_id INT, "
    "FOREIGN KEY (seeded_id) REFERENCES seeded (id) ON DELETE CASCADE)",
    "CREATE TABLE another (id INT)",
    "CREATE VIEW seen AS SELECT * FROM seeded",
)


@pytest.fixture
def database(account: Login, prefix: str) -> Iterator[tuple[Run, str]]:
    """Make a database for rows."""
    with closing(Run.begin(prefix)) as run, throwaway_database(account, "", run) as coordinates:
        yield run, coordinates["DATABASE_NAME"]


def test_changed_rows_are_put_back_and_no_other_table_is_touched(
    account: Login, database: tuple[Run, str]
) -> None:
    owner, name = database
    run(account, name, *SEEDED)
    before = rows(account, name)
    with Original(account, name, owner) as original:
        assert original.put_back() == []
        run(account, name, "INSERT INTO bare VALUES (1, 7)")
        assert original.put_back() == ["bare"]
        run(account, name, "UPDATE seeded SET name = 'x' WHERE id = 7")
        assert original.put_back() == ["seeded"]
        assert rows(account, name) == before
        run(
            account,
            name,
            "DELETE FROM seeded",
            "INSERT INTO bare VALUES (2, NULL)",
            "CREATE TABLE made (n INT) AS SELECT 1 AS n",
        )
        assert sorted(original.put_back()) == ["bare", "made", "seeded"]
        assert rows(account, name) == before | {"made": []}
        assert original.put_back() == []
    assert owner.leaks == []


@pytest.mark.parametrize(
    "change",
    [
        "first = 'AdaLove', last = 'lace'",
        "first = '', last = 'AdaLovelace'",
        "first = 'Ada', last = 'Lovelace-', born = ''",
        "first = 'Ada', last = 'Lovelace', born = ''",
        "tags = '-'",
    ],
)
def test_what_moves_between_columns_is_put_back(
    account: Login, database: tuple[Run, str], change: str
) -> None:
    owner, name = database
    run(
        account,
        name,
        "CREATE TABLE person (first VARCHAR(20), last TEXT, born VARBINARY(9), tags BLOB)",
        "INSERT INTO person VALUES ('Ada', 'Lovelace', NULL, NULL)",
        "INSERT INTO person SELECT * FROM person",
    )
    before = rows(account, name)
    with Original(account, name, owner) as original:
        assert original.put_back() == []
        run(account, name, f"UPDATE person SET {change}")
        assert original.put_back() == ["person"]
        assert rows(account, name) == before
        assert original.put_back() == []


def test_triggers_that_fire_at_delete_do_not(account: Login, database: tuple[Run, str]) -> None:
    owner, name = database
    run(
        account,
        name,
        "CREATE TABLE t (n INT)",
        "CREATE TABLE audit (n INT)",
        "CREATE TABLE seeded AS SELECT 1 AS n",
        "CREATE TRIGGER gone AFTER DELETE ON t FOR EACH ROW INSERT INTO audit VALUES (OLD.n)",
        "CREATE TRIGGER lost AFTER DELETE ON seeded FOR EACH ROW INSERT INTO audit VALUES (OLD.n)",
    )
    before = rows(account, name)
    with Original(account, name, owner) as original:
        run(account, name, "INSERT INTO t VALUES (1)", "UPDATE seeded SET n = 2")
        assert sorted(original.put_back()) == ["seeded", "t"]
    assert rows(account, name) == before


def test_a_trigger_that_would_fire_as_rows_are_put_back_is_one_clear_error(
    account: Login, database: tuple[Run, str]
) -> None:
    owner, name = database
    run(
        account,
        name,
        "CREATE TABLE seeded AS SELECT 1 AS n",
        "CREATE TRIGGER at BEFORE INSERT ON seeded FOR EACH ROW SET NEW.n = 3",
    )
    with pytest.raises(ServerError) as error:
        Original(account, name, owner)
    assert str(error.value) == (
        f"rows of seeded in {name} cannot be put back, as a trigger fires at each: "
        "set mysql_database = test"
    )


def test_a_history_goes_too(account: Login, database: tuple[Run, str]) -> None:
    owner, name = database
    period = (
        "began TIMESTAMP(6) GENERATED ALWAYS AS ROW START, "
        "ended TIMESTAMP(6) GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME (began, ended)"
    )
    try:
        run(
            account,
            name,
            "CREATE TABLE t (n INT) WITH SYSTEM VERSIONING",
            f"CREATE TABLE seeded (n INT, {period}) WITH SYSTEM VERSIONING",
        )
    except pymysql.MySQLError:
        pytest.skip("the server has no system-versioned tables")
    run(account, name, "INSERT INTO seeded (n) VALUES (1)")
    with Original(account, name, owner) as original, Place(account) as place:
        run(account, name, "INSERT INTO t VALUES (1)", "DELETE FROM t", "UPDATE seeded SET n = 2")
        original.put_back()
        for table, expected in (("t", []), ("seeded", [(1,)])):
            assert place.rows(f"SELECT n FROM {name}.{table} FOR SYSTEM_TIME ALL") == expected


def test_a_table_that_is_gone_is_one_clear_error(account: Login, database: tuple[Run, str]) -> None:
    owner, name = database
    run(account, name, "CREATE TABLE t (n INT)")
    with Original(account, name, owner) as original:
        run(account, name, "DROP TABLE t")
        with pytest.raises(ServerError, match=f"the table t of {name} is gone"):
            original.put_back()


@pytest.mark.parametrize("tables", ["seeded WRITE", "bare WRITE, seeded READ", "bare READ"])
def test_who_keeps_tables_locked_is_ended_and_reported(
    account: Login, database: tuple[Run, str], tables: str
) -> None:
    owner, name = database
    run(account, name, *SEEDED)
    before = rows(account, name)
    with Original(account, name, owner) as original, Place(account) as forgotten:
        run(account, name, "UPDATE seeded SET name = 'x'", "INSERT INTO bare VALUES (1, 7)")
        forgotten.connection.select_db(name)
        forgotten.rows(f"LOCK TABLES {tables}")
        assert sorted(original.put_back()) == ["bare", "seeded"]
        [leak] = owner.leaks
        assert f"connection {forgotten.id} of" in leak
        assert rows(account, name) == before
        assert original.put_back() == []


@pytest.mark.parametrize("account", ["narrow"], indirect=True)
def test_rows_may_be_put_back_for_longer_than_other_statements_take(
    account: Login, hasty: Login, database: tuple[Run, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holders, "LOCK_WAITS", (7, 2, 5))
    owner, name = database
    run(account, name, *SEEDED)
    before = rows(account, name)
    with (
        Original(hasty, name, owner) as original,
        Place(account) as forgotten,
    ):
        run(account, name, "UPDATE seeded SET name = 'x'")
        forgotten.connection.select_db(name)
        forgotten.rows("LOCK TABLES seeded READ")
        assert original.put_back() == ["seeded"]
    assert len(owner.leaks) == 1
    assert rows(account, name) == before


def test_a_lost_connection_is_told(account: Login, database: tuple[Run, str]) -> None:
    owner, name = database
    with Original(account, name, owner) as original:
        original.close()
        with pytest.raises(ServerError, match="not put back: the connection to the server is clos"):
            original.put_back()


def test_who_keeps_a_row_locked_is_ended_and_reported(
    account: Login, database: tuple[Run, str]
) -> None:
    owner, name = database
    run(account, name, "CREATE TABLE t (n INT)")
    with (
        Original(account, name, owner) as original,
        Place(account) as forgotten,
    ):
        forgotten.connection.select_db(name)
        run(account, name, "INSERT INTO t VALUES (1)")
        forgotten.rows("BEGIN")
        forgotten.rows("SELECT n FROM t FOR UPDATE")
        assert original.put_back() == ["t"]
        [leak] = owner.leaks
        assert f"connection {forgotten.id} of" in leak
        assert rows(account, name) == {"t": []}
