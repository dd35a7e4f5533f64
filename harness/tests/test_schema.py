"""Schemas: what their keys depend on, and how Alembic is let at a database."""

import io
import logging
import os
import shutil
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path

import pytest

from throwaway_mysql import ServerError
from throwaway_mysql.login import Login
from throwaway_mysql.schema import RECORD, AlembicSchema, CallableSchema
from throwaway_mysql.schemas import ini
from throwaway_mysql.schemas.alembic_project import AlembicProject
from throwaway_mysql.testing.looking import rows

WriteProject = Callable[..., Path]
NewDatabase = Callable[[], str]
SHOP = ("op.create_table('shop', sa.Column('id', sa.Integer))", "op.drop_table('shop')")


def seed(login: Login, database: str) -> None:
    """Put a row into the shop."""
    with login.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {database}.shop VALUES (7)")


def other_seed(login: Login, database: str) -> None:
    """Do nothing."""


def key(path: Path) -> str | None:
    return AlembicSchema(path).key("11")


@pytest.mark.parametrize(
    "file", ["alembic.ini", "moves/env.py", "moves/versions/r0.py", "moves/rows.sql"]
)
def test_a_key_depends_on_each_file(write_project: WriteProject, file: str) -> None:
    path = write_project(SHOP)
    before = key(path)
    with (path.parent / file).open("a") as changed:
        changed.write("\n# changed\n")
    assert key(path) not in {None, before}


def test_a_key_depends_on_a_new_revision_in_a_folder_of_its_own(
    write_project: WriteProject,
) -> None:
    path = write_project(SHOP)
    before = key(path)
    (path.parent / "moves/versions/2026").mkdir()
    assert key(path) == before
    (path.parent / "moves/versions/2026/new.py").touch()
    assert key(path) != before


def test_a_key_does_not_depend_on_the_place_and_on_what_makes_no_schema(
    write_project: WriteProject, tmp_path: Path
) -> None:
    path = write_project(SHOP)
    before = key(path)
    (path.parent / "moves/__pycache__").mkdir()
    for name in ("__pycache__/env.pyc", "script.py.mako", RECORD, ".#r0.py"):
        (path.parent / "moves" / name).touch()
    assert key(path) == before
    elsewhere = shutil.copytree(path.parent, tmp_path / "elsewhere")
    assert key(elsewhere / "alembic.ini") == before


def test_a_key_depends_on_server_seed_and_named_files(
    write_project: WriteProject, tmp_path: Path
) -> None:
    path = write_project(SHOP)
    table = tmp_path / "rows.csv"
    table.write_text("1")
    one = AlembicSchema(path, also=[table])
    keys = [
        AlembicSchema(path).key("10"),
        AlembicSchema(path).key("11"),
        AlembicSchema(path, seed, also=()).key("11"),
        AlembicSchema(path, other_seed, also=()).key("11"),
        one.key("11"),
    ]
    table.write_text("2")
    keys.append(one.key("11"))
    assert len(set(keys)) == len(keys)


def test_a_key_depends_on_what_writes_the_sql(
    write_project: WriteProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_project(SHOP)
    before = key(path)
    monkeypatch.setattr("throwaway_mysql.schema._versions", lambda: "others")
    assert key(path) != before


def test_a_revision_has_its_transaction(
    mysql_server: Login, write_project: WriteProject, new_database: NewDatabase
) -> None:
    path = write_project(
        SHOP, ("op.execute('INSERT INTO shop VALUES (1)'); op.get_bind().rollback()", "pass")
    )
    database = new_database()
    AlembicSchema(path).make(mysql_server, database)
    assert rows(mysql_server, database)["shop"] == []


def test_a_file_that_is_not_there_is_named(write_project: WriteProject, tmp_path: Path) -> None:
    path = write_project(SHOP)
    with pytest.raises(ServerError, match=r"^there is no .*/gone: correct the path$"):
        AlembicSchema(path, also=[tmp_path / "gone"]).key("11")
    with pytest.raises(ServerError, match=r"^there is no /nowhere/alembic\.ini: correct the path$"):
        AlembicSchema(Path("/nowhere/alembic.ini")).key("11")


def test_a_callables_key_is_of_its_file_its_name_and_its_version() -> None:
    keys = [
        CallableSchema(seed, also=()).key("10"),
        CallableSchema(seed, also=()).key("11"),
        CallableSchema(other_seed, also=()).key("11"),
        CallableSchema(seed, other_seed, also=()).key("11"),
        CallableSchema(seed, version="2").key("11"),
        CallableSchema(seed, version="12").key("1"),
        CallableSchema(partial(seed), version="2").key("11"),
    ]
    assert len(set(keys)) == len(keys)
    assert None not in keys


def test_what_no_file_tells_of_has_no_key(write_project: WriteProject) -> None:
    assert CallableSchema(partial(seed), also=()).key("11") is None
    assert AlembicSchema(write_project(SHOP), partial(seed), also=()).key("11") is None


def closure(table: str) -> Callable[[Login, str], None]:
    """Return what depends on more than its file."""

    def make(_login: Login, _database: str) -> None:
        print(table)

    return make


def with_default(_login: Login, _database: str, _table: str = "shop") -> None:
    """Do what the default says."""


class Maker:
    """What depends on an object."""

    def make(self, _login: Login, _database: str) -> None:
        """Do nothing."""


@wraps(seed)
def wrapper(_login: Login, _database: str) -> None:
    """Do more than what it wraps."""


class Other(CallableSchema):
    """Makes something else."""

    def make(self, login: Login, database: str) -> None:
        """Do nothing."""


@pytest.mark.parametrize(
    "schema",
    [
        CallableSchema(closure("a"), also=()),
        CallableSchema(with_default, also=()),
        CallableSchema(Maker().make, also=()),
        CallableSchema(wrapper, also=()),
        Other(seed, also=()),
    ],
    ids=["a closure", "a default", "a method", "a wrapper", "another class"],
)
def test_what_depends_on_more_than_its_file_has_no_key(schema: CallableSchema) -> None:
    assert schema.key("11") is None


def test_where_nobody_says_what_a_callable_imports_it_has_no_key(
    write_project: WriteProject,
) -> None:
    assert CallableSchema(seed).key("11") is None
    assert AlembicSchema(write_project(SHOP), seed).key("11") is None


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ("script_location = %(here)s/moves", ["moves"]),
        ("script_location = moves", ["moves"]),
        ("script_location = %(here)s/nowhere", None),
        ("script_location = %(nothing)s/moves", None),
        ("script_location = nowhere:moves", None),
        ("script_location = throwaway_mysql:there", ["there"]),
        ("", None),
        (
            "script_location = %(here)s/moves\npath_separator = os\n"
            f"version_locations = %(here)s/one{os.pathsep}%(here)s/two",
            ["moves", "one", "two"],
        ),
        (
            "script_location = %(here)s/moves\npath_separator = newline\n"
            "version_locations =\n  %(here)s/one\n  %(here)s/two",
            ["moves", "one", "two"],
        ),
        (
            "script_location = %(here)s/moves\nversion_locations = %(here)s/one, %(here)s/two",
            ["moves", "one", "two"],
        ),
    ],
)
def test_the_folders_are_those_that_the_ini_names(
    tmp_path: Path, options: str, found: list[str] | None
) -> None:
    for name in ("moves", "one", "two"):
        (tmp_path / name).mkdir()
    path = tmp_path / "alembic.ini"
    path.write_text(f"[alembic]\nsqlalchemy.url = %(what)s\n{options}\n")
    folders = ini.folders(path)
    names = None if folders is None else [folder.name for folder in folders]
    assert names == found
    if found is None:
        assert AlembicSchema(path).key("11") is None


@pytest.mark.parametrize("name", ["alembic.ini", "pyproject.toml"])
def test_a_pyproject_may_name_the_folders(
    mysql_server: Login,
    write_project: WriteProject,
    new_database: NewDatabase,
    name: str,
) -> None:
    path = write_project(SHOP)
    path.write_text("[alembic]\n")
    toml = path.with_name("pyproject.toml")
    toml.write_text('[tool.alembic]\nscript_location = "%(here)s/moves"\n')
    assert ini.folders(path.with_name(name)) == [path.parent / "moves"]
    before = key(path.with_name(name))
    AlembicSchema(path.with_name(name)).make(mysql_server, database := new_database())
    assert list(rows(mysql_server, database)) == ["alembic_version", "shop"]
    toml.write_text(toml.read_text() + "# changed\n")
    assert key(path.with_name(name)) != before


def test_the_seed_comes_after_the_newest_revision(
    mysql_server: Login, write_project: WriteProject, new_database: NewDatabase
) -> None:
    database = new_database()
    AlembicSchema(write_project(SHOP), seed).make(mysql_server, database)
    assert rows(mysql_server, database)["shop"] == [{"id": b"7"}]


def test_all_heads_are_made(
    mysql_server: Login, write_project: WriteProject, new_database: NewDatabase
) -> None:
    path = write_project(SHOP, ("op.create_table('a', sa.Column('id', sa.Integer))", "pass"))
    branch = path.parent / "moves/versions/branch.py"
    text = (path.parent / "moves/versions/r1.py").read_text()
    branch.write_text(text.replace('"r1"', '"branch"').replace("'a'", "'b'"))
    AlembicSchema(path).make(mysql_server, database := new_database())
    assert list(rows(mysql_server, database)) == ["a", "alembic_version", "b", "shop"]


def test_an_env_that_would_migrate_another_database_is_not_run(
    mysql_server: Login, write_project: WriteProject, new_database: NewDatabase
) -> None:
    path = write_project(SHOP)
    env = path.parent / "moves/env.py"
    env.write_text("raise LookupError('it was run')")
    with pytest.raises(ServerError, match=r"env\.py would migrate another database than the tests"):
        AlembicSchema(path).make(mysql_server, new_database())


def test_an_env_that_migrated_another_database_is_told_of(
    mysql_server: Login, write_project: WriteProject, new_database: NewDatabase
) -> None:
    path = write_project(SHOP)
    env, other = path.parent / "moves/env.py", new_database()
    env.write_text(
        env.read_text().replace(
            "context.configure(",
            f"connection.exec_driver_sql('USE {other}')\ncontext.configure(",
        )
    )
    with pytest.raises(ServerError, match=r"env\.py migrated another database: use config"):
        AlembicSchema(path).make(mysql_server, new_database())


def test_the_url_that_an_env_sees_has_no_password(
    mysql_server: Login, write_project: WriteProject, new_database: NewDatabase
) -> None:
    path = write_project(SHOP)
    env, seen = path.parent / "moves/env.py", path.with_name("seen")
    with env.open("a") as file:
        url = "connection.engine.url.render_as_string(hide_password=False)"
        file.write(f"\nwith open({str(seen)!r}, 'w') as seen:\n    seen.write({url})\n")
    AlembicSchema(path).make(mysql_server, database := new_database())
    assert seen.read_text().endswith(f"/{database}")
    assert mysql_server.password[:16] not in seen.read_text()


LOGGING = """
[loggers]
keys = root

[handlers]
keys = none

[formatters]
keys =

[logger_root]
level = CRITICAL
handlers = none

[handler_none]
class = NullHandler
args = ()
"""


def test_the_tests_logging_stays_as_it_was(
    mysql_server: Login, write_project: WriteProject, new_database: NewDatabase
) -> None:
    path = write_project(SHOP)
    with path.open("a") as file:
        file.write(LOGGING)
    env = path.parent / "moves/env.py"
    set_up = "from logging.config import fileConfig\nfrom alembic import context\n"
    env.write_text(f"{set_up}fileConfig(context.config.config_file_name)\n{env.read_text()}")
    logger, said = logging.getLogger("of.a.test"), io.StringIO()
    logger.addHandler(handler := logging.StreamHandler(said))
    before = logging.root.handlers[:], logging.root.level
    AlembicSchema(path).make(mysql_server, new_database())
    logger.warning("still heard")
    logger.removeHandler(handler)
    assert said.getvalue() == "still heard\n"
    assert (logging.root.handlers, logging.root.level) == before


def test_a_project_tells_at_which_revisions_a_database_is(
    mysql_server: Login, write_project: WriteProject, new_database: NewDatabase
) -> None:
    project = AlembicProject(write_project(SHOP), mysql_server, new_database())
    assert project.current() == ()
    project.upgrade()
    assert project.current() == ("r0",)
