"""The digest of a schema: sees each change, and nothing but changes."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from pymysql.constants import CLIENT

from throwaway_mysql.databases.database import throwaway_database
from throwaway_mysql.login import Login
from throwaway_mysql.schemas.digest import differences, digest, lines
from throwaway_mysql.schemas.kinds import KINDS

SCRIPT = """
CREATE TABLE parent (id INT PRIMARY KEY)
;;
CREATE TABLE thing (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, a INT NOT NULL DEFAULT 1, b VARCHAR(20) COMMENT 'x',
  c DECIMAL(5, 2), d TIMESTAMP NULL, e ENUM ('p', 'q'), f INT GENERATED ALWAYS AS (a + 1) VIRTUAL,
  parent_id INT, KEY by_b (b(5)), KEY by_a_c (a, c) COMMENT 'y',
  CONSTRAINT up FOREIGN KEY (parent_id) REFERENCES parent (id) ON DELETE CASCADE,
  CONSTRAINT small CHECK (a < 10)
) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin COMMENT 'z'
;;
CREATE TABLE part (id INT PRIMARY KEY) PARTITION BY RANGE (id) (
  PARTITION low VALUES LESS THAN (10), PARTITION high VALUES LESS THAN (20)
)
;;
CREATE VIEW seen AS SELECT id, b FROM thing WHERE a > 1
;;
CREATE TRIGGER fired BEFORE INSERT ON thing FOR EACH ROW SET @x = 1
;;
CREATE PROCEDURE act(IN n INT) COMMENT 'w' BEGIN SELECT n; END
;;
CREATE FUNCTION fun(n INT) RETURNS INT DETERMINISTIC RETURN n
;;
CREATE EVENT later ON SCHEDULE EVERY 1 DAY DISABLE DO SET @x = 1
"""
BASE = SCRIPT.split(";;\n")

CHANGES = [
    "ALTER DATABASE COLLATE latin1_bin",
    "CREATE TABLE another (id INT)",
    "DROP TABLE part",
    "ALTER TABLE thing ENGINE = InnoDB, ROW_FORMAT = COMPACT",
    "ALTER TABLE parent ENGINE = InnoDB, COMMENT = 'new'",
    "ALTER TABLE thing DEFAULT COLLATE utf8mb4_unicode_ci",
    "ALTER TABLE thing MODIFY a BIGINT NOT NULL DEFAULT 1",
    "ALTER TABLE thing MODIFY a INT UNSIGNED NOT NULL DEFAULT 1",
    "ALTER TABLE thing MODIFY a INT NULL DEFAULT 1",
    "ALTER TABLE thing MODIFY a INT NOT NULL DEFAULT 2",
    "ALTER TABLE thing ALTER a DROP DEFAULT",
    "ALTER TABLE thing MODIFY b VARCHAR(21) COMMENT 'x'",
    "ALTER TABLE thing MODIFY b VARCHAR(20) COMMENT 'X'",
    "ALTER TABLE thing MODIFY b VARCHAR(20) COLLATE utf8mb4_unicode_ci COMMENT 'x'",
    "ALTER TABLE thing MODIFY b VARCHAR(20) CHARACTER SET latin1 COMMENT 'x'",
    "ALTER TABLE thing MODIFY c DECIMAL(5, 1)",
    "ALTER TABLE thing MODIFY c DECIMAL(5, 2) FIRST",
    "ALTER TABLE thing MODIFY d TIMESTAMP NULL ON UPDATE CURRENT_TIMESTAMP",
    "ALTER TABLE thing MODIFY d TIMESTAMP NULL DEFAULT '2020-01-01 00:00:00'",
    "ALTER TABLE thing MODIFY e ENUM ('q', 'p')",
    "ALTER TABLE thing MODIFY f INT GENERATED ALWAYS AS (a + 2) VIRTUAL",
    "ALTER TABLE thing DROP f, ADD f INT GENERATED ALWAYS AS (a + 1) STORED AFTER e",
    "ALTER TABLE thing ADD g INT",
    "ALTER TABLE thing DROP c",
    "ALTER TABLE thing RENAME COLUMN c TO cc",
    "ALTER TABLE thing ADD KEY (e)",
    "ALTER TABLE thing DROP KEY by_b",
    "ALTER TABLE thing DROP KEY by_b, ADD KEY by_b (b(6))",
    "ALTER TABLE thing DROP KEY by_b, ADD UNIQUE KEY by_b (b(5))",
    "ALTER TABLE thing DROP KEY by_b, ADD FULLTEXT KEY by_b (b)",
    "ALTER TABLE thing DROP KEY by_a_c, ADD KEY by_a_c (c, a) COMMENT 'y'",
    "ALTER TABLE thing DROP KEY by_a_c, ADD KEY by_a_c (a, c) COMMENT 'Y'",
    "ALTER TABLE thing RENAME KEY by_b TO by_bb",
    "ALTER TABLE thing DROP PRIMARY KEY, ADD PRIMARY KEY (id, a)",
    "ALTER TABLE thing DROP FOREIGN KEY up",
    "ALTER TABLE thing DROP FOREIGN KEY up;;"
    "ALTER TABLE thing ADD CONSTRAINT up FOREIGN KEY (parent_id) REFERENCES parent (id)",
    "ALTER TABLE thing DROP FOREIGN KEY up;;ALTER TABLE thing ADD CONSTRAINT up FOREIGN KEY "
    "(parent_id) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE SET NULL",
    "ALTER TABLE thing DROP FOREIGN KEY up;;ALTER TABLE thing ADD CONSTRAINT up FOREIGN KEY "
    "(parent_id) REFERENCES thing (id) ON DELETE CASCADE",
    "ALTER TABLE thing DROP CONSTRAINT small",
    "ALTER TABLE thing DROP CONSTRAINT small;;"
    "ALTER TABLE thing ADD CONSTRAINT small CHECK (a < 11)",
    "ALTER TABLE thing DROP CONSTRAINT small;;"
    "ALTER TABLE thing ADD CONSTRAINT little CHECK (a < 10)",
    "ALTER TABLE part ADD PARTITION (PARTITION more VALUES LESS THAN (30))",
    "ALTER TABLE part REORGANIZE PARTITION high INTO (PARTITION high VALUES LESS THAN (21))",
    "ALTER TABLE part REMOVE PARTITIONING",
    "CREATE OR REPLACE VIEW seen AS SELECT id, b FROM thing WHERE a > 2",
    "CREATE OR REPLACE SQL SECURITY INVOKER VIEW seen AS SELECT id, b FROM thing WHERE a > 1",
    "CREATE OR REPLACE VIEW seen AS SELECT id, b FROM thing WHERE a > 1 WITH CHECK OPTION",
    "DROP VIEW seen",
    "DROP TRIGGER fired",
    "DROP TRIGGER fired;;CREATE TRIGGER fired BEFORE INSERT ON thing FOR EACH ROW SET @x = 2",
    "DROP TRIGGER fired;;CREATE TRIGGER fired AFTER INSERT ON thing FOR EACH ROW SET @x = 1",
    "DROP TRIGGER fired;;CREATE TRIGGER fired BEFORE UPDATE ON thing FOR EACH ROW SET @x = 1",
    "SET sql_mode = 'ANSI';;DROP TRIGGER fired;;"
    "CREATE TRIGGER fired BEFORE INSERT ON thing FOR EACH ROW SET @x = 1",
    "DROP PROCEDURE act;;CREATE PROCEDURE act(IN n INT) COMMENT 'w' BEGIN SELECT n + 1; END",
    "DROP PROCEDURE act;;CREATE PROCEDURE act(INOUT n INT) COMMENT 'w' BEGIN SELECT n; END",
    "DROP PROCEDURE act;;CREATE PROCEDURE act(IN n BIGINT) COMMENT 'w' BEGIN SELECT n; END",
    "DROP FUNCTION fun;;CREATE FUNCTION fun(n INT) RETURNS BIGINT DETERMINISTIC RETURN n",
    "DROP FUNCTION fun;;CREATE FUNCTION fun(n INT) RETURNS INT NO SQL RETURN n",
    "ALTER PROCEDURE act SQL SECURITY INVOKER",
    "ALTER PROCEDURE act COMMENT 'W'",
    "SET sql_mode = 'ANSI';;DROP PROCEDURE act;;"
    "CREATE PROCEDURE act(IN n INT) COMMENT 'w' BEGIN SELECT n; END",
    "ALTER EVENT later ENABLE",
    "ALTER EVENT later ON SCHEDULE EVERY 2 DAY",
    "ALTER EVENT later DO SET @x = 2",
    "ALTER EVENT later ON COMPLETION PRESERVE",
    "DROP EVENT later",
]
OF_MYSQL = [
    "ALTER TABLE thing ALTER INDEX by_b INVISIBLE",
    "ALTER TABLE thing ALTER CHECK small NOT ENFORCED",
    "ALTER TABLE thing ADD KEY upper_b ((UPPER(b)))",
    "ALTER TABLE thing ADD KEY by_b_down (b DESC)",
    "ALTER TABLE thing ADD p POINT NOT NULL SRID 4326",
]
OF_MARIADB = [
    "ALTER TABLE thing ALTER INDEX by_b IGNORED",
    "ALTER TABLE thing MODIFY a INT NOT NULL DEFAULT 1 CHECK (a > 0)",
    "CREATE OR REPLACE ALGORITHM = TEMPTABLE VIEW seen AS SELECT id, b FROM thing WHERE a > 1",
]


class Database:
    """A throwaway database with the base schema."""

    def __init__(self, login: Login, name: str) -> None:
        self.name = name
        self.connection = replace(login, database=name).connect(client_flag=CLIENT.MULTI_STATEMENTS)
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT VERSION()")
            self.mariadb = "MariaDB" in str(cursor.fetchone())
        self.run(*BASE)

    def run(self, *statements: str) -> None:
        """Execute statements in a session as the server gives it."""
        with self.connection.cursor() as cursor:
            cursor.execute("SET sql_mode = DEFAULT, time_zone = DEFAULT, foreign_key_checks = 1")
            for statement in statements:
                cursor.execute(statement)

    def lines(self, *, positions: bool = False) -> list[str]:
        """Return what the digest is made of."""
        return lines(self.connection, self.name, positions=positions)


@pytest.fixture
def database(mysql_server: Login) -> Iterator[Database]:
    """Make a database with the base schema."""
    with throwaway_database(mysql_server, "digest") as coordinates:
        yield (made := Database(mysql_server, coordinates["DATABASE_NAME"]))
        made.connection.close()


def assert_seen(database: Database, change: str) -> None:
    before = database.lines()
    assert digest(before) == digest(database.lines())
    database.run(*change.split(";;"))
    after = database.lines()
    assert digest(before) != digest(after)
    assert differences(before, after)


@pytest.mark.parametrize("change", CHANGES)
def test_it_sees(database: Database, change: str) -> None:
    assert_seen(database, change)


@pytest.mark.parametrize("change", OF_MYSQL)
def test_it_sees_of_mysql(database: Database, change: str) -> None:
    if database.mariadb:
        pytest.skip("a MariaDB has none of it")
    assert_seen(database, change)


@pytest.mark.parametrize("change", OF_MARIADB)
def test_it_sees_of_mariadb(database: Database, change: str) -> None:
    if not database.mariadb:
        pytest.skip("a MySQL has none of it")
    assert_seen(database, change)


def test_it_sees_where_numbers_go_on_only_if_asked(database: Database) -> None:
    before = database.lines(), database.lines(positions=True)
    database.run("INSERT INTO thing (a) VALUES (1)", "DELETE FROM thing")
    after = database.lines(), database.lines(positions=True)
    assert before[0] == after[0]
    assert before[1] != after[1]


def test_it_does_not_see_rows_times_and_statistics(database: Database) -> None:
    before = database.lines()
    database.run(
        "INSERT INTO parent VALUES (1), (2)",
        "INSERT INTO part VALUES (1)",
        "ANALYZE TABLE parent, part",
        "DROP EVENT later",
        "DROP FUNCTION fun",
        "SET timestamp = 86400",
        BASE[-1],
        BASE[-2],
    )
    assert differences(before, database.lines()) == ""


def test_it_does_not_see_the_marker(database: Database) -> None:
    before = database.lines()
    database.run("DROP VIEW throwaway_mysql")  # which it has from the beginning
    assert differences(before, database.lines()) == ""


def test_it_does_not_depend_on_the_databases_name(mysql_server: Login) -> None:
    told: list[list[str]] = []
    for project in ("a", "quite_another"):
        with throwaway_database(mysql_server, project) as coordinates:
            database = Database(mysql_server, coordinates["DATABASE_NAME"])
            database.run(
                f"CREATE VIEW named AS SELECT * FROM {database.name}.thing",
                f"CREATE PROCEDURE say() SELECT '{database.name}', {database.name}.fun(1)",
            )
            told.append(database.lines(positions=True))
            database.connection.close()
    assert differences(told[0], told[1]) == ""
    assert digest(told[0]) == digest(told[1])


def test_it_sees_nothing_of_other_databases(mysql_server: Login, database: Database) -> None:
    before = database.lines()
    with throwaway_database(mysql_server, "digest") as coordinates:
        Database(mysql_server, coordinates["DATABASE_NAME"]).connection.close()
        assert differences(before, database.lines()) == ""


def test_an_older_server_tells_what_it_has(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = database.lines()
    lacking = tuple(
        kind._replace(mysql=(*kind.mysql, "x"), mariadb=("x", *kind.mariadb)) for kind in KINDS
    )
    nothing = KINDS[0]._replace(name="nothing", table="nothing")
    monkeypatch.setattr("throwaway_mysql.schemas.digest.KINDS", (*lacking, nothing))
    assert differences(before, database.lines()) == ""


def test_differences_name_what_is_gone_and_what_is_new() -> None:
    assert differences(["a", "b"], ["b", "c"]) == "gone: a; new: c"
    assert differences(["a"], ["a"]) == ""
    assert differences([], list("abc"), most=2) == "new: a; new: b; and 1 more"
