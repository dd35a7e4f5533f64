"""Copies of schemas: equal to what was really made, rows and all."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from unittest.mock import ANY

import pytest
from pymysql.constants import CLIENT

from throwaway_mysql import AlembicSchema, CallableSchema, Schema
from throwaway_mysql.databases.database import throwaway_database
from throwaway_mysql.login import Login
from throwaway_mysql.schemas.clone import Filled, fill
from throwaway_mysql.schemas.digest import differences, lines
from throwaway_mysql.servers.run import RunServer
from throwaway_mysql.testing.looking import rows, run

HERE = Path(__file__).parent
NewDatabase = Callable[[], str]


def zoo(login: Login, database: str) -> None:
    """Make one of everything that a schema may have."""
    there = replace(login, database=database)
    with there.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT VERSION()")
        family = "mariadb" if "MariaDB" in str(cursor.fetchone()) else "mysql"
        for file in ("zoo.sql", f"zoo_{family}.sql"):
            for statement in (HERE / file).read_text().split("\n;;\n"):
                cursor.execute(statement)
        every = bytes(range(256))
        for value in (every, b"", None, every * 3000):
            cursor.execute("INSERT INTO every_type (lb) VALUES (%s)", (value,))
        cursor.execute("INSERT INTO every_type (vb) VALUES (%s)", (every,))


def told(login: Login, database: str) -> list[str]:
    """Return what the digest is made of."""
    with replace(login, database=database).connect(client_flag=CLIENT.MULTI_STATEMENTS) as link:
        return lines(link, database, positions=True)


def fill_two(
    login: Login, new_database: NewDatabase, schema: Schema, cache: Path
) -> tuple[str, str]:
    """Fill a database by making it, another by a copy; return their names."""
    made, copied = new_database(), new_database()
    assert fill(login, made, schema, cache) == Filled(seconds=ANY)
    assert fill(login, copied, schema, cache) == Filled(cloned=True, seconds=ANY)
    return made, copied


def assert_equal(login: Login, made: str, copied: str) -> None:
    assert differences(told(login, made), told(login, copied)) == ""
    assert rows(login, made) == rows(login, copied)


def test_a_zoo_of_everything_is_copied(
    mysql_server: Login, new_database: NewDatabase, tmp_path: Path
) -> None:
    made, copied = fill_two(mysql_server, new_database, CallableSchema(zoo, also=()), tmp_path)
    assert_equal(mysql_server, made, copied)
    assert len(rows(mysql_server, copied)["every_type"]) >= 10


def make_views(login: Login, database: str) -> None:
    """Make views that a server words anew, or judges by the session's mode."""
    run(
        login,
        database,
        "CREATE TABLE a (id INT PRIMARY KEY, b INT)",
        "CREATE TABLE b (id INT PRIMARY KEY)",
        "CREATE VIEW v AS SELECT a.id FROM a, b WHERE a.b = b.id",
        "CREATE VIEW w AS SELECT USER() AS u, 'x' COLLATE utf8mb4_bin AS x",
    )


def test_views_are_copied_whose_copy_is_worded_otherwise(
    mysql_server: Login, new_database: NewDatabase, tmp_path: Path
) -> None:
    made, copied = fill_two(
        mysql_server, new_database, CallableSchema(make_views, also=()), tmp_path
    )
    assert_equal(mysql_server, made, copied)


def test_a_copy_works_like_the_real_one(
    mysql_server: Login, new_database: NewDatabase, tmp_path: Path
) -> None:
    for database in fill_two(mysql_server, new_database, CallableSchema(zoo, also=()), tmp_path):
        there = replace(mysql_server, database=database)
        with there.connect() as connection, connection.cursor() as cursor:
            cursor.execute("INSERT INTO parent (name) VALUES ('new')")
            assert cursor.lastrowid == 5002
            cursor.execute("INSERT INTO child (parent_id) VALUES (0)")
            cursor.execute("SELECT @seen, text_of('t'), (SELECT COUNT(*) FROM mm)")
            assert cursor.fetchone() == (3, ";'t", 2)
            cursor.execute("CALL deliver(1, @b, @c)")
            cursor.execute("SELECT @b, `in ansi`()")
            assert cursor.fetchone() == (2, "a\\2")


def make_named(login: Login, database: str) -> None:
    """Make what names its own database."""
    run(
        login,
        database,
        "CREATE TABLE a (id INT PRIMARY KEY, name VARCHAR(64))",
        f"CREATE TABLE b (id INT, FOREIGN KEY (id) REFERENCES {database}.a (id))",
        f"INSERT INTO a VALUES (1, '{database}')",
        f"CREATE VIEW v AS SELECT {database}.a.name FROM {database}.a",
        f"CREATE PROCEDURE p() SELECT name = '{database}' FROM {database}.v",
    )


def test_what_names_its_database_names_the_copys(
    mysql_server: Login, new_database: NewDatabase, tmp_path: Path
) -> None:
    schema = CallableSchema(make_named, also=())
    made, copied = fill_two(mysql_server, new_database, schema, tmp_path)
    run(mysql_server, made, "DROP VIEW v")
    there = replace(mysql_server, database=copied)
    with there.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CALL p()")
        assert cursor.fetchall() == ((1,),)


@pytest.fixture
def narrow(mysql_root: Login) -> Iterator[Login]:
    """Return an account that may do everything in throwaway databases and nothing else."""
    name = f"narrow_{secrets.token_hex(4)}"
    with mysql_root.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE USER {name} IDENTIFIED BY 'narrow'")
        cursor.execute(rf"GRANT ALL ON `zoo\_test\_%`.* TO {name}")
        try:
            yield replace(mysql_root, user=name, password="narrow")  # noqa: S106 (a test's own)
        finally:
            cursor.execute(f"DROP USER {name}")


def test_an_account_with_only_the_narrow_grant_can_do_it(
    narrow: Login, new_database: NewDatabase, tmp_path: Path
) -> None:
    made, copied = fill_two(narrow, new_database, CallableSchema(zoo, also=()), tmp_path)
    assert_equal(narrow, made, copied)


def test_the_copy_belongs_to_who_makes_it(
    mysql_root: Login, narrow: Login, new_database: NewDatabase, tmp_path: Path
) -> None:
    schema = CallableSchema(zoo, also=())
    made, copied = new_database(), new_database()
    assert not fill(mysql_root, made, schema, tmp_path).cloned
    assert fill(narrow, copied, schema, tmp_path).cloned
    run(narrow, copied, "DO plus_one(1)")


def test_fifty_revisions_are_copied(
    mysql_server: Login, new_database: NewDatabase, fifty: Path, tmp_path: Path
) -> None:
    made, copied = fill_two(mysql_server, new_database, AlembicSchema(fifty), tmp_path / "new/one")
    assert_equal(mysql_server, made, copied)
    assert [*rows(mysql_server, copied)["alembic_version"][0].values()] == [b"r49"]


@pytest.fixture(scope="module")
def small_packets(mysql_program: str) -> Iterator[Login]:
    """Return an account on a server that takes packets of 2 MiB at most."""
    with closing(RunServer(mysql_program, flags=["--max-allowed-packet=2M"])) as server:
        yield server.root


def make_big(login: Login, database: str) -> None:
    """Make rows that fill a packet by a tenth to nine tenths, and many small ones."""
    there = replace(login, database=database)
    with there.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE big (id INT AUTO_INCREMENT PRIMARY KEY, b LONGBLOB)")
        for tenth in (1, 3, 5, 7, 9):
            number = 2 * 1024 * 1024 * tenth // 10 // 270
            content = f"REPEAT(X'{bytes(range(1, 256)).hex()}', {number})"
            cursor.execute(f"INSERT INTO big (b) VALUES ({content})")
        cursor.executemany("INSERT INTO big (b) VALUES (%s)", [(b"x" * 999,)] * 5000)


def make_too_big(login: Login, database: str) -> None:
    """Make a row that as SQL is longer than a packet."""
    run(login, database, "CREATE TABLE big (b LONGBLOB)")
    run(login, database, "INSERT INTO big VALUES (REPEAT('\\'', 1500000))")


def test_rows_of_a_packets_size_are_copied(small_packets: Login, tmp_path: Path) -> None:
    with throwaway_database(small_packets, "a") as one, throwaway_database(small_packets, "b") as b:
        made, copied = one["DATABASE_NAME"], b["DATABASE_NAME"]
        fill(small_packets, made, CallableSchema(make_big, also=()), tmp_path)
        assert fill(small_packets, copied, CallableSchema(make_big, also=()), tmp_path).cloned
        assert_equal(small_packets, made, copied)


def test_rows_that_fit_no_packet_are_made_each_time(small_packets: Login, tmp_path: Path) -> None:
    for _ in range(2):
        with throwaway_database(small_packets, "big") as coordinates:
            filled = fill(
                small_packets,
                coordinates["DATABASE_NAME"],
                CallableSchema(make_too_big, also=()),
                tmp_path,
            )
        note = "not copied: a row takes more than max_allowed_packet (2097152 bytes)"
        assert filled == Filled(seconds=ANY, note=note)
