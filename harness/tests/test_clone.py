"""Templates: made once per run, and copied so that a copy equals the original."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.sql import is_mariadb, rows_of, run, zoo

from throwaway_mysql.clone import Template
from throwaway_mysql.connections import rows
from throwaway_mysql.databases import Databases
from throwaway_mysql.errors import ServerError
from throwaway_mysql.login import Login
from throwaway_mysql.owner import Owner
from throwaway_mysql.schema import CallableSchema, Schema, SqlSchema, key_of
from throwaway_mysql.schema_text import differences, lines

ME = Owner.me()
Make = Callable[[Login, str], None]


@pytest.fixture
def two(databases: Databases) -> Callable[[Make], tuple[str, str]]:
    """Return a function that makes a schema and a copy of it, and returns their names."""

    def make(call: Make) -> tuple[str, str]:
        real, copy = databases.create().name, databases.create()
        call(databases.login, real)
        template = Template.make(databases, CallableSchema(call), ME)
        template.copy(copy)
        return real, copy.name

    return make


def schema_of(login: Login, database: str) -> list[str]:
    with login.connect() as connection:
        return lines(connection, database)


def assert_equal(login: Login, real: str, copy: str) -> None:
    assert differences(schema_of(login, real), schema_of(login, copy)) == ""
    expected, found = rows_of(login, real), rows_of(login, copy)
    for table in expected:
        assert found[table] == expected[table] or table in PASSING
    assert found.keys() == expected.keys()


PASSING = ("versioned", "period", "documents")  # they contain creation times


def test_a_zoo_of_everything_is_copied(
    databases: Databases, two: Callable[[Make], tuple[str, str]]
) -> None:
    login = databases.login
    real, copy = two(zoo)
    assert_equal(login, real, copy)
    template = Template.make(databases, CallableSchema(zoo), ME).name
    assert rows_of(login, template) == rows_of(login, copy)
    assert len(rows_of(login, copy)["every_type"]) >= 10
    assert next_ids(login, real) == next_ids(login, copy)


def next_ids(login: Login, database: str) -> list[tuple[object, ...]]:
    query = "SELECT table_name, auto_increment FROM information_schema.tables WHERE table_schema ="
    fresh = "SET @a = 1 /*!80000 , SESSION information_schema_stats_expiry = 0 */"
    return run(login, database, fresh, f"{query} '{database}' ORDER BY 1")


def test_a_copy_works_like_the_real_one(
    databases: Databases, two: Callable[[Make], tuple[str, str]]
) -> None:
    for database in two(zoo):
        there = replace(databases.login, database=database)
        with there.connect() as connection, connection.cursor() as cursor:
            cursor.execute("INSERT INTO parent (name) VALUES ('new')")
            assert cursor.lastrowid == 5002
            cursor.execute("INSERT INTO child (parent_id) VALUES (0)")
            cursor.execute("SELECT @seen, text_of('t'), (SELECT COUNT(*) FROM mm)")
            assert cursor.fetchone() == (3, ";'t", 2)
            cursor.execute("CALL deliver(1, @b, @c)")
            cursor.execute("SELECT @b, `in ansi`()")
            assert cursor.fetchone() == (2, "a\\2")
            if is_mariadb(databases.login):
                cursor.execute("INSERT INTO numbered (n) VALUES (3)")
                cursor.execute("SELECT id FROM numbered WHERE n = 3")
                assert cursor.fetchone() in ((11,), (3005,))  # the cache went with the making
                cursor.execute("SET sql_mode = ORACLE")
                cursor.execute("SELECT tools.twice(4)")
                assert cursor.fetchone() == (8,)


def named(login: Login, database: str) -> None:
    """Make what names its own database, and views that a server words anew or judges by a mode."""
    run(
        login,
        database,
        "CREATE TABLE a (id INT PRIMARY KEY, name VARCHAR(64))",
        f"CREATE TABLE b (id INT, FOREIGN KEY (id) REFERENCES {database}.a (id))",
        f"CREATE VIEW v AS SELECT {database}.a.name FROM {database}.a",
        f"CREATE PROCEDURE p() SELECT COUNT(*), '{database}' FROM {database}.v",
        "CREATE VIEW joined AS SELECT a.id FROM a, b WHERE a.id = b.id",
        "CREATE VIEW a_of_joined AS SELECT * FROM joined",
        "CREATE VIEW w AS SELECT USER() AS u, 'x' COLLATE utf8mb4_bin AS x",
    )


def test_what_names_its_database_names_the_copy(
    databases: Databases, two: Callable[[Make], tuple[str, str]]
) -> None:
    real, copy = two(named)
    assert_equal(databases.login, real, copy)
    databases.drop(real)
    assert run(databases.login, copy, "CALL p()") == [(0, copy)]


calls: list[str] = []


def counted(login: Login, database: str) -> None:
    """Record that a schema is made, not copied."""
    calls.append(database)
    run(login, database, "CREATE TABLE one (a INT)", "INSERT INTO one VALUES (1), (2)")


def test_a_schema_is_made_once_and_anew_where_that_was_not_finished(databases: Databases) -> None:
    calls.clear()
    for _ in range(20):
        template = Template.make(databases, CallableSchema(counted), ME)
        template.copy(databases.create())
    assert len(calls) == 1
    run(databases.login, template.name, "DROP VIEW throwaway_made", "DROP TABLE one")
    databases.templates.clear()
    again = Template.make(databases, CallableSchema(counted), ME)
    again.copy(one := databases.create())
    assert again.name == template.name
    assert len(calls) == 2
    assert run(databases.login, one.name, "SELECT * FROM one") == [(1,), (2,)]


@pytest.mark.parametrize("account", ["root"], indirect=True)
def test_each_schema_of_a_run_has_a_template_of_its_own(databases: Databases) -> None:
    def other(number: int) -> Schema:
        return CallableSchema(
            lambda login, name: run(login, name, f"CREATE TABLE t{number} (n INT)")
        )

    schemas = [CallableSchema(counted), CallableSchema(zoo), other(1), other(2)]
    templates = [Template.make(databases, schema, ME) for schema in schemas]
    assert len({template.name for template in templates}) == 4
    again = [Template.make(databases, schema, ME) for schema in schemas]
    assert again == templates
    for template, number in zip(templates[2:], (1, 2), strict=True):
        template.copy(one := databases.create())
        assert run(databases.login, one.name, "SHOW TABLES") == [(f"t{number}",)]


PROCESS = """
import sys
from throwaway_mysql.clone import Template
from throwaway_mysql.databases import Databases
from throwaway_mysql.login import Login
from throwaway_mysql.owner import Owner
from throwaway_mysql.schema import SqlSchema

url, prefix, path, *owner = sys.argv[1:]
begun, machine, pid, started = owner
owner = Owner(int(begun), machine, int(pid), int(started))
databases = Databases(Login.from_url(url), prefix)
template = Template.make(databases, SqlSchema(path), owner)
database = databases.create()
template.copy(database)
print(template.name, database.name)
"""


@pytest.mark.parametrize("account", ["narrow"], indirect=True)
def test_the_first_of_a_runs_processes_makes_it_and_the_others_find_it(
    databases: Databases, tmp_path: Path
) -> None:
    path = tmp_path / "schema.sql"
    path.write_text("DO SLEEP(1);\nCREATE TABLE made SELECT UUID() AS id;\n")
    argv = [sys.executable, "-c", PROCESS, databases.login.url(), databases.prefix, str(path)]
    started = [
        subprocess.Popen([*argv, *map(str, ME)], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    output = [process.communicate()[0].split() for process in started]
    [template] = {name for name, _ in output}
    found = {str(run(databases.login, copy, "SELECT id FROM made")) for _, copy in output}
    assert found == {str(run(databases.login, template, "SELECT id FROM made"))}
    assert len(databases.sweep()) == 4  # not the template, which belongs to this process
    databases.drop_all()
    assert databases.survey() == []


def test_an_error_of_the_schemas_own_comes_through_and_leaves_nothing(databases: Databases) -> None:
    def fails(login: Login, database: str) -> None:
        counted(login, database)
        raise LookupError("of its own")

    for _ in range(2):
        with pytest.raises(LookupError, match="of its own"):
            Template.make(databases, CallableSchema(fails), ME)
    assert databases.survey() == []


def broken(login: Login, database: str) -> None:
    """Make a view that the server cannot recreate."""
    run(
        login,
        database,
        "CREATE TABLE t (a INT)",
        "CREATE VIEW v AS SELECT a FROM t",
        "DROP TABLE t",
    )


@pytest.mark.parametrize("account", ["root"], indirect=True)
def test_what_cannot_be_copied_is_one_line(databases: Databases) -> None:
    with pytest.raises(ServerError, match=r"^\w+ cannot be copied: .*(exist|invalid)"):
        Template.make(databases, CallableSchema(broken), ME).copy(databases.create())


@pytest.mark.parametrize("account", ["root"], indirect=True)
def test_nothing_of_a_template_stays_in_the_session(databases: Databases) -> None:
    Template.make(databases, CallableSchema(zoo), ME).copy(one := databases.create())
    with databases.connected("") as connection:
        found = rows(connection, "SELECT DATABASE(), @@character_set_client")
    assert found == [("information_schema", "utf8mb4")]
    databases.drop(one.name)
    assert databases.leaks == []


def test_schemas_are_known_again_by_another_process_where_all_of_them_is() -> None:
    def inner(login: Login, database: str) -> None:
        del login, database

    keys = [
        key_of(schema)
        for schema in (
            *(CallableSchema(zoo), CallableSchema(named), CallableSchema(zoo, zoo)),
            *(SqlSchema("a.sql"), SqlSchema(Path("b.sql")), SqlSchema("a.sql", zoo)),
        )
    ]
    assert None not in keys
    assert len(set(keys)) == len(keys)
    assert key_of(CallableSchema(zoo)) == keys[0]
    for unknown in (inner, lambda *_: None):
        assert key_of(CallableSchema(unknown)) is None
