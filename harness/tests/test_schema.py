"""Schemas: where Alembic has its files, and what its revisions make."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from throwaway_mysql import AlembicSchema, ServerError
from throwaway_mysql.login import Login
from throwaway_mysql.schemas import ini
from throwaway_mysql.schemas.alembic_project import AlembicProject
from throwaway_mysql.testing import moves
from throwaway_mysql.testing.looking import rows, run

WriteProject = Callable[..., Path]
NewDatabase = Callable[[], str]
SHOP = ("op.create_table('shop', sa.Column('id', sa.Integer))", "op.drop_table('shop')")


def test_a_revision_has_its_transaction(
    mysql_server: Login, write_project: WriteProject, new_database: NewDatabase
) -> None:
    path = write_project(
        SHOP, ("op.execute('INSERT INTO shop VALUES (1)'); op.get_bind().rollback()", "pass")
    )
    database = new_database()
    AlembicSchema(path).make(mysql_server, database)
    assert rows(mysql_server, database)["shop"] == []


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
        ("script_location = moves\npath_separator = comma\nversion_locations = one,two", None),
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


def test_its_folder_may_have_any_name(
    mysql_server: Login, tmp_path: Path, new_database: NewDatabase
) -> None:
    path = moves.write(tmp_path / "a%2Fb %s #$;'é", [SHOP])
    with path.open("a") as file:
        file.write("version_locations = %(here)s/moves/versions\n")
    schema = AlembicSchema(path)
    assert schema.key("11") is not None
    schema.make(mysql_server, database := new_database())
    assert list(rows(mysql_server, database)) == ["alembic_version", "shop"]


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
    before = AlembicSchema(path.with_name(name)).key("11")
    AlembicSchema(path.with_name(name)).make(mysql_server, database := new_database())
    assert list(rows(mysql_server, database)) == ["alembic_version", "shop"]
    toml.write_text(toml.read_text() + "# changed\n")
    assert AlembicSchema(path.with_name(name)).key("11") != before


def test_the_seed_comes_after_the_newest_revision(
    mysql_server: Login, write_project: WriteProject, new_database: NewDatabase
) -> None:
    def seed(login: Login, database: str) -> None:
        run(login, database, "INSERT INTO shop VALUES (7)")

    database = new_database()
    AlembicSchema(str(write_project(SHOP)), seed).make(mysql_server, database)
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


def test_what_the_server_refuses_is_one_line_that_names_the_revision(
    mysql_server: Login, write_project: WriteProject, new_database: NewDatabase
) -> None:
    path = write_project(SHOP, SHOP)
    line = r"^revision r1 \(.*/r1\.py:\d+, in upgrade\): 1050 Table 'shop' already exists$"
    with pytest.raises(ServerError, match=line):
        AlembicSchema(path).make(mysql_server, new_database())


def test_a_project_tells_at_which_revisions_a_database_is(
    mysql_server: Login, write_project: WriteProject, new_database: NewDatabase
) -> None:
    project = AlembicProject(write_project(SHOP), mysql_server, new_database())
    assert project.current() == ()
    project.upgrade()
    assert project.current() == ("r0",)
