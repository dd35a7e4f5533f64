"""Copies that are damaged, another's or not right: noticed, and really made instead."""

import os
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from pymysql.constants import CLIENT

from throwaway_mysql import CallableSchema
from throwaway_mysql.login import Login
from throwaway_mysql.schemas.clone import Filled, fill
from throwaway_mysql.schemas.digest import differences, lines
from throwaway_mysql.schemas.dump import Dump
from throwaway_mysql.testing.looking import rows, run

NewDatabase = Callable[[], str]


def told(login: Login, database: str) -> list[str]:
    """Return what the digest is made of."""
    with replace(login, database=database).connect(client_flag=CLIENT.MULTI_STATEMENTS) as link:
        return lines(link, database, positions=True)


def assert_equal(login: Login, made: str, copied: str) -> None:
    assert differences(told(login, made), told(login, copied)) == ""
    assert rows(login, made) == rows(login, copied)


def make_one(login: Login, database: str) -> None:
    """Make a small schema."""
    run(login, database, "CREATE TABLE one (a INT)", "INSERT INTO one VALUES (1), (2)")


def make_other(login: Login, database: str) -> None:
    """Make another small schema."""
    run(login, database, "CREATE TABLE other (a INT)")


def make_many(login: Login, database: str) -> None:
    """Make some of each kind, in a database of another collation."""
    run(
        login,
        database,
        "ALTER DATABASE COLLATE latin1_bin",
        "CREATE TABLE a (id INT PRIMARY KEY)",
        "CREATE TABLE b (id INT PRIMARY KEY, a INT, FOREIGN KEY (a) REFERENCES a (id))",
        "ALTER TABLE a ADD b INT, ADD FOREIGN KEY (b) REFERENCES b (id)",
        "CREATE VIEW v AS SELECT * FROM a",
        "CREATE VIEW u AS SELECT * FROM v",
        "CREATE FUNCTION f(t VARCHAR(9)) RETURNS INT DETERMINISTIC RETURN 1",
        "CREATE PROCEDURE p() SELECT 1",
        "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET @x = 1",
        "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DISABLE DO SET @x = 1",
    )


def only_dump(cache: Path) -> Path:
    (path,) = cache.glob("*.dump")
    return path


def change(path: Path, **values: Any) -> None:
    """Change a dump so that it is another, not damaged, one."""
    header = path.read_bytes().split(b"\n")[1]
    key = header.partition(b'"key": "')[2].partition(b'"')[0].decode()
    dump = Dump.load(path, key)
    assert dump
    replace(dump, **values).save(path)


def packets(path: Path) -> bytes:
    return path.read_bytes().split(b"\n", 2)[2]


@pytest.mark.parametrize("damage", ["a bit", "its end", "all", "its rest"])
def test_a_damaged_dump_is_made_anew(
    mysql_server: Login, new_database: NewDatabase, tmp_path: Path, damage: str
) -> None:
    schema = CallableSchema(make_one, also=())
    fill(mysql_server, new_database(), schema, tmp_path)
    path = only_dump(tmp_path)
    whole = path.read_bytes()
    changed = {
        "a bit": whole.replace(b"INSERT", b"INSERT".lower()),
        "its end": whole[:-1],
        "all": b"",
        "its rest": whole + b"\n;DROP TABLE one",
    }
    path.write_bytes(changed[damage])
    assert fill(mysql_server, new_database(), schema, tmp_path) == Filled(seconds=ANY)
    database = new_database()
    assert fill(mysql_server, database, schema, tmp_path).cloned
    assert list(rows(mysql_server, database)) == ["one"]


def test_a_dump_of_another_schema_is_made_anew(
    mysql_server: Login, new_database: NewDatabase, tmp_path: Path
) -> None:
    fill(mysql_server, new_database(), CallableSchema(make_one, also=()), tmp_path)
    one = only_dump(tmp_path)
    content = one.read_bytes()
    one.unlink()
    fill(mysql_server, new_database(), CallableSchema(make_other, also=()), tmp_path)
    only_dump(tmp_path).write_bytes(content)
    filled = fill(
        mysql_server, database := new_database(), CallableSchema(make_other, also=()), tmp_path
    )
    assert filled == Filled(seconds=ANY)
    assert list(rows(mysql_server, database)) == ["other"]


def test_another_digest_leads_to_the_real_one_and_one_line(
    mysql_server: Login, new_database: NewDatabase, tmp_path: Path
) -> None:
    schema = CallableSchema(make_one, also=())
    fill(mysql_server, new_database(), schema, tmp_path)
    change(path := only_dump(tmp_path), digest="another")
    filled = fill(mysql_server, database := new_database(), schema, tmp_path)
    assert not filled.cloned
    assert filled.warning.startswith(f"the schema was made anew, as {path} makes another: ")
    assert "\n" not in filled.warning
    assert rows(mysql_server, database) == {"one": [{"a": b"1"}, {"a": b"2"}]}
    assert fill(mysql_server, new_database(), schema, tmp_path) == Filled(cloned=True, seconds=ANY)


@pytest.mark.parametrize(
    ("packet", "said"),
    [
        (b"CREATE TABLE one (a BIGINT); INSERT INTO one VALUES (1), (2)", "its digest differs"),
        (b"CREATE TABLE one (a INT); INSERT INTO one VALUES (1), (3)", "the rows of one differ"),
        (b"ALTER DATABASE COLLATE latin1_bin; CREATE TABLE one (a INT)", "its digest differs"),
        (b"CREATE TABLE other (a INT)", "digest differs|doesn't exist"),
        (b"CREATE VIEW v AS SELECT 1; CREATE NOTHING", "error in your SQL"),
    ],
)
def test_what_is_not_copied_right_is_not_copied_again(
    mysql_server: Login, new_database: NewDatabase, tmp_path: Path, packet: bytes, said: str
) -> None:
    schema = CallableSchema(make_one, also=())
    fill(mysql_server, made := new_database(), schema, tmp_path)
    change(path := only_dump(tmp_path), packets=[packet])
    filled = fill(mysql_server, database := new_database(), schema, tmp_path)
    assert re.search(said, filled.warning)
    assert_equal(mysql_server, made, database)
    again = fill(mysql_server, database := new_database(), schema, tmp_path)
    assert again == Filled(seconds=ANY, note="not copied: an earlier copy did not come out right")
    assert_equal(mysql_server, made, database)
    os.utime(path, (0, 0))  # a day is over
    assert not fill(mysql_server, new_database(), schema, tmp_path).note
    assert fill(mysql_server, new_database(), schema, tmp_path).cloned


def make_person(login: Login, database: str) -> None:
    """Make a table with two texts."""
    run(
        login,
        database,
        "CREATE TABLE person (first VARCHAR(20), last VARCHAR(20))",
        "INSERT INTO person VALUES ('Ada', 'Lovelace')",
    )


def test_a_text_in_another_column_is_noticed(
    mysql_server: Login, new_database: NewDatabase, tmp_path: Path
) -> None:
    schema = CallableSchema(make_person, also=())
    fill(mysql_server, made := new_database(), schema, tmp_path)
    path = only_dump(tmp_path)
    changed = packets(path).replace(b"Ada", b"AdaLove").replace(b"'Lovelace", b"'lace")
    change(path, packets=[changed])
    filled = fill(mysql_server, database := new_database(), schema, tmp_path)
    assert "the rows of person differ" in filled.warning
    assert_equal(mysql_server, made, database)


def make_sequence(login: Login, database: str) -> None:
    """Make what no copy is made of."""
    run(login, database, "CREATE TABLE one (a INT)", "CREATE SEQUENCE numbers")


def test_what_cannot_be_copied_is_made_each_time(
    mysql_server: Login, new_database: NewDatabase, tmp_path: Path
) -> None:
    with mysql_server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT VERSION()")
        if "MariaDB" not in str(cursor.fetchone()):
            pytest.skip("a MySQL has no sequences")
    for _ in range(2):
        filled = fill(
            mysql_server, new_database(), CallableSchema(make_sequence, also=()), tmp_path
        )
        note = "not copied: there is numbers (SEQUENCE)"
        assert filled == Filled(seconds=ANY, note=note)


def test_a_schema_of_unknown_content_is_made_each_time(
    mysql_server: Login, new_database: NewDatabase, tmp_path: Path
) -> None:
    calls: list[object] = []
    schema = CallableSchema(partial(lambda *given: calls.append(given[-1])))
    for _ in range(2):
        filled = fill(mysql_server, new_database(), schema, tmp_path)
        assert filled.note == "not copied: what its schema depends on is not known, see `also`"
    assert len(calls) == 2


def test_a_cache_that_cannot_be_written_is_done_without(
    mysql_server: Login, new_database: NewDatabase, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    for _ in range(2):
        filled = fill(
            mysql_server,
            database := new_database(),
            CallableSchema(make_one, also=()),
            tmp_path / "file",
        )
        assert filled.note == f"no copy was kept: Not a directory ({tmp_path / 'file'})"
        assert list(rows(mysql_server, database)) == ["one"]


def test_an_error_of_the_schemas_own_comes_through_and_keeps_nothing(
    mysql_server: Login, new_database: NewDatabase, tmp_path: Path
) -> None:
    def fails(login: Login, database: str) -> None:
        make_one(login, database)
        raise LookupError

    with pytest.raises(LookupError):
        fill(mysql_server, new_database(), CallableSchema(fails, also=()), tmp_path)
    assert list(tmp_path.glob("*.dump")) == []


def test_a_dump_is_its_owners_alone_and_old_ones_go(
    mysql_server: Login, new_database: NewDatabase, tmp_path: Path
) -> None:
    old = tmp_path / f"cache/schema-{'0' * 32}.dump"
    old.parent.mkdir()
    for file in (old, old.with_suffix(".lock")):
        file.touch()
        os.utime(file, (0, 0))
    fill(mysql_server, new_database(), CallableSchema(make_one, also=()), old.parent)
    assert only_dump(old.parent).stat().st_mode & 0o777 == 0o600
    assert sorted(path.suffix for path in old.parent.iterdir()) == [".dump", ".lock"]


def test_the_marker_is_neither_copied_nor_removed(
    mysql_server: Login, new_database: NewDatabase, tmp_path: Path
) -> None:
    schema = CallableSchema(make_many, also=())
    for _ in range(3):
        database = new_database()
        filled = fill(mysql_server, database, schema, tmp_path)
        run(mysql_server, database, "SELECT name FROM throwaway_mysql")
        change(only_dump(tmp_path), digest="another")  # so that the next is emptied
    assert filled.warning
    assert b"throwaway_mysql" not in packets(only_dump(tmp_path))


def test_an_emptied_database_is_as_it_was(
    mysql_server: Login, new_database: NewDatabase, tmp_path: Path
) -> None:
    schema = CallableSchema(make_many, also=())
    fill(mysql_server, made := new_database(), schema, tmp_path)
    change(only_dump(tmp_path), digest="another")
    filled = fill(mysql_server, database := new_database(), schema, tmp_path)
    assert "empty" in filled.seconds
    assert_equal(mysql_server, made, database)
    copied = new_database()
    assert fill(mysql_server, copied, schema, tmp_path).cloned
    assert_equal(mysql_server, made, copied)
