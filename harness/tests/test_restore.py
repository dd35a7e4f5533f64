"""Rows are restored after each test, and only changed tables are touched."""

import time
from collections.abc import Callable

import pytest
from support.databases import holding
from support.sql import is_mariadb, rows_of, run

from throwaway_mysql import connections
from throwaway_mysql.clone import Template
from throwaway_mysql.connections import rows
from throwaway_mysql.databases import Databases
from throwaway_mysql.errors import ServerError
from throwaway_mysql.login import Login
from throwaway_mysql.restore import Rows

SEEDED = (
    "CREATE TABLE seeded (id INT AUTO_INCREMENT PRIMARY KEY, name VARBINARY(9), "
    "size INT GENERATED ALWAYS AS (LENGTH(name)) STORED, "
    "at TIMESTAMP DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP) AUTO_INCREMENT = 20",
    r"INSERT INTO seeded (id, name) VALUES (1, x'00ff27'), (7, '\\')",
    "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'",
    "INSERT INTO seeded (id, name) VALUES (0, NULL)",
    "CREATE TABLE bare (id INT AUTO_INCREMENT PRIMARY KEY, seeded_id INT, "
    "FOREIGN KEY (seeded_id) REFERENCES seeded (id) ON DELETE CASCADE)",
    "CREATE TABLE another (id INT)",
    "CREATE VIEW seen AS SELECT * FROM seeded",
)

Begin = Callable[..., tuple[str, Rows]]


@pytest.fixture
def begin(databases: Databases) -> Begin:
    """Return a function that makes a template from statements, and returns a copy (name, Rows)."""

    def begin(*statements: str) -> tuple[str, Rows]:
        template = databases.create()
        run(databases.login, template.name, *statements)
        copy = databases.create("tests/test_it.py")
        whole = Template(databases, template.name)
        whole.copy(copy)
        return copy.name, Rows(whole, copy)

    return begin


def test_changed_rows_are_put_back_and_no_other_table_is_touched(
    account: Login, begin: Begin
) -> None:
    name, original = begin(*SEEDED)
    before = rows_of(account, name)
    assert original.restore() == []
    run(account, name, "INSERT INTO bare VALUES (1, 7)")
    assert original.restore() == ["bare"]
    run(account, name, "UPDATE seeded SET name = 'x' WHERE id = 7")
    assert original.restore() == ["seeded"]
    assert rows_of(account, name) == before
    run(
        account,
        name,
        "DELETE FROM seeded",
        "INSERT INTO bare VALUES (2, NULL)",
        "CREATE TABLE made (n INT) AS SELECT 1 AS n",
    )
    assert original.restore() == ["bare", "made", "seeded"]
    assert rows_of(account, name) == before | {"made": []}
    assert original.restore() == []
    run(account, name, "UPDATE seeded SET name = 'y' WHERE id = 1")
    assert original.restore() == ["seeded"]
    assert rows_of(account, name) == before | {"made": []}


@pytest.mark.parametrize(
    "statements",
    [
        ["INSERT INTO {} () VALUES ()"],
        ["INSERT INTO {} () VALUES (), ()", "DELETE FROM {} ORDER BY id DESC LIMIT 2"],
        ["BEGIN", "INSERT INTO {} () VALUES ()", "ROLLBACK"],
        ["INSERT INTO {} (id) VALUES (900)"],
    ],
    ids=["inserted", "deleted again", "rolled back", "far"],
)
@pytest.mark.parametrize(("table", "expected"), [("seeded", 20), ("bare", 1)])
def test_ids_begin_again(
    account: Login, begin: Begin, table: str, expected: int, statements: list[str]
) -> None:
    name, original = begin(*SEEDED)
    before = rows_of(account, name)
    for _ in range(2):
        run(account, name, *(statement.format(table) for statement in statements))
        assert original.restore() == [table]
        assert original.restore() == []
        last = "SELECT LAST_INSERT_ID()"
        insert = f"INSERT INTO {table} () VALUES ()"
        assert run(account, name, insert, last) == [(expected,)]
        original.restore()
    assert rows_of(account, name) == before


def test_a_change_in_the_same_second_as_the_look_before_is_seen(
    account: Login, begin: Begin
) -> None:
    name, original = begin("CREATE TABLE t (n INT)", "INSERT INTO t VALUES (1)")
    until = time.clock_gettime(time.CLOCK_MONOTONIC) + 4
    number = 1
    while time.clock_gettime(time.CLOCK_MONOTONIC) < until:
        assert original.restore() == []
        number += 1
        run(account, name, f"UPDATE t SET n = {number}")
        assert original.restore() == ["t"]
    assert run(account, name, "SELECT n FROM t") == [(1,)]


@pytest.mark.parametrize("account", ["narrow"], indirect=True)
def test_two_hundred_thousand_rows_that_no_test_has_changed_are_not_read(
    account: Login, begin: Begin, databases: Databases
) -> None:
    digits = "(SELECT 0 UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5"
    digits = " JOIN ".join(f"{digits} UNION SELECT 6 UNION SELECT 7) AS d{n}" for n in range(6))
    name, original = begin(
        "CREATE TABLE big (id INT AUTO_INCREMENT PRIMARY KEY, t VARCHAR(200))",
        f"INSERT INTO big (t) SELECT REPEAT('x', 150) FROM {digits} LIMIT 200000",
        "CREATE TABLE small (id INT)",
    )
    assert run(account, name, "SELECT COUNT(*) FROM big") == [(200_000,)]

    def reads() -> int:
        """Return how often the connection has read rows."""
        found = rows(connection, "SHOW SESSION STATUS LIKE 'Handler_read%'")
        return sum(int(count) for _, count in found)

    def is_sure() -> bool:
        original.restore()
        return "big" in original._same  # noqa: SLF001

    while not is_sure():  # until the second in which the table was filled is over
        rows_of(account, name)
    run(account, name, "INSERT INTO small VALUES (1)")
    with databases.connected("") as connection:
        before = reads()
        assert original.restore() == ["small"]
        assert reads() - before < 20_000
        run(account, name, "UPDATE big SET t = 'y' ORDER BY id DESC LIMIT 1")
        assert original.restore() == ["big"]
        assert original.restore() == []
    assert run(account, name, "SELECT COUNT(*), MAX(t) FROM big") == [(200_000, "x" * 150)]


def test_a_trigger_that_would_fire_as_rows_are_put_back_is_one_clear_error(begin: Begin) -> None:
    with pytest.raises(ServerError) as error:
        begin(
            "CREATE TABLE seeded AS SELECT 1 AS n",
            "CREATE TRIGGER at BEFORE INSERT ON seeded FOR EACH ROW SET NEW.n = 3",
        )
    assert "rows of seeded in " in str(error.value)
    assert str(error.value).endswith(
        "cannot be put back, as a trigger fires at each: set mysql_database = test"
    )


# By name: statements that make tables, statements that change them, and the changed tables.
KINDS = {
    "MyISAM": (
        "CREATE TABLE t (n INT) ENGINE = MyISAM; INSERT INTO t VALUES (1)",
        "UPDATE t SET n = 2",
        {"t"},
    ),
    "MEMORY": (
        "CREATE TABLE t (n INT) ENGINE = MEMORY; INSERT INTO t VALUES (1)",
        "UPDATE t SET n = 2",
        {"t"},
    ),
    "partitions": (
        "CREATE TABLE t (n INT) PARTITION BY HASH (n) PARTITIONS 3; INSERT INTO t VALUES (1), (2)",
        "UPDATE t SET n = 5 WHERE n = 1",
        {"t"},
    ),
    "triggers": (  # which do not fire
        """CREATE TABLE t (n INT);
        CREATE TABLE audit (n INT);
        CREATE TABLE seeded AS SELECT 1 AS n;
        CREATE TRIGGER a AFTER DELETE ON t FOR EACH ROW INSERT INTO audit VALUES (OLD.n);
        CREATE TRIGGER b AFTER DELETE ON seeded FOR EACH ROW INSERT INTO audit VALUES (OLD.n)""",
        "INSERT INTO t VALUES (1); UPDATE seeded SET n = 2",
        {"seeded", "t"},
    ),
    "MySQL": (
        """CREATE TABLE t (n INT, tags JSON, KEY k ((CAST(tags->'$' AS UNSIGNED ARRAY))));
        INSERT INTO t VALUES (1, '[1, 2]');
        CREATE TABLE d (found JSON, type VARCHAR(9) AS (JSON_TYPE(found)));
        INSERT INTO d (found) VALUES (CAST(CAST('2020-01-01' AS DATE) AS JSON))""",
        """UPDATE d SET found = '"other"'; UPDATE t SET tags = '[3]'""",
        {"d", "t"},
    ),
    "MariaDB": (
        """CREATE TABLE t (n INT) WITH SYSTEM VERSIONING;
        CREATE TABLE versioned (n INT) WITH SYSTEM VERSIONING;
        INSERT INTO versioned VALUES (1), (2);
        DELETE FROM versioned WHERE n = 1;
        CREATE SEQUENCE s""",
        "INSERT INTO t VALUES (1); DELETE FROM t; UPDATE versioned SET n = 2; DO NEXTVAL(s)",
        {"t", "versioned"},
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_table_is_put_back(account: Login, begin: Begin, kind: str) -> None:
    if kind == ("MySQL" if is_mariadb(account) else "MariaDB"):
        pytest.skip(f"only {kind} has them")
    made, change, expected = KINDS[kind]
    name, original = begin(*made.split(";"))
    before = rows_of(account, name)
    for _ in range(2):
        run(account, name, *change.split(";"))
        assert set(original.restore()) >= expected
        assert rows_of(account, name) == before


def test_a_table_that_is_gone_is_one_clear_error(account: Login, begin: Begin) -> None:
    name, original = begin("CREATE TABLE t (n INT)")
    run(account, name, "DROP TABLE t")
    with pytest.raises(ServerError, match=f"the table t of {name} is gone"):
        original.restore()


@pytest.mark.parametrize(
    "statements",
    [
        ["LOCK TABLES seeded WRITE"],
        ["LOCK TABLES bare WRITE, seeded READ"],
        ["BEGIN", "SELECT * FROM bare FOR UPDATE"],
        ["BEGIN", "UPDATE seeded SET name = 'y'"],
    ],
    ids=["a table", "tables", "rows", "changed"],
)
def test_who_keeps_locks_is_ended_and_reported(
    account: Login, databases: Databases, begin: Begin, statements: list[str]
) -> None:
    name, original = begin(*SEEDED)
    before = rows_of(account, name)
    run(account, name, "UPDATE seeded SET name = 'x'", "INSERT INTO bare VALUES (1, 7)")
    with holding(account, name, *statements) as number:
        assert original.restore() == ["bare", "seeded"]
    [leak] = databases.leaks
    assert leak.startswith(f"{name} (of tests/test_it.py): connection {number} of ")
    assert rows_of(account, name) == before
    assert original.restore() == []


@pytest.mark.parametrize("account", ["narrow"], indirect=True)
def test_a_lock_that_nobody_can_be_seen_to_hold_is_one_line(
    mysql_root: Login, account: Login, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "WAITS", (1, 1, 1))
    name, original = begin("CREATE TABLE t (n INT)", "INSERT INTO t VALUES (1)")
    run(account, name, "UPDATE t SET n = 2")
    with mysql_root.connect() as persons:
        rows(persons, f"LOCK TABLES {name}.t READ")
        with pytest.raises(ServerError, match=f"rows of {name} were not put back: Lock wait"):
            original.restore()
    assert original.restore() == ["t"]
