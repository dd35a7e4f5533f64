"""What the keys of schemas depend on, under which copies are kept."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial, wraps
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from throwaway_mysql import ServerError
from throwaway_mysql.login import Login
from throwaway_mysql.schemas.schema import RECORD, AlembicSchema, CallableSchema

WriteProject = Callable[..., Path]
Step = Callable[..., None]
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


def test_paths_may_be_text(
    write_project: WriteProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_project(SHOP)
    table = tmp_path / "rows.csv"
    table.write_text("1")
    before = AlembicSchema(path, also=[table]).key("11")
    for also in ([str(table)], str(table), table):
        assert AlembicSchema(str(path), also=also).key("11") == before
        assert CallableSchema(seed, also=also).key("") == CallableSchema(seed, also=[table]).key("")
    monkeypatch.chdir(path.parent)
    assert AlembicSchema(path.name, also="../rows.csv").key("11") == before


def test_a_key_depends_on_what_writes_the_sql(
    write_project: WriteProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_project(SHOP)
    before = key(path)
    monkeypatch.setattr("throwaway_mysql.schemas.schema._versions", lambda: "others")
    assert key(path) != before


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


def closure(table: object) -> Step:
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


class Shop:
    """What is called itself."""

    def __call__(self, _login: Login, _database: str) -> None:
        """Do nothing."""


@wraps(seed)
def wrapper(_login: Login, _database: str) -> None:
    """Do more than what it wraps."""


class Other(CallableSchema):
    """Makes something else."""

    def make(self, login: Login, database: str) -> None:
        """Do nothing."""


def typed(text: str) -> Step:
    """Return a function of which there is no file."""
    made: dict[str, Any] = {}
    exec(f"def make(login, database): {text}", made)  # noqa: S102 (as a shell does)
    make: Step = made["make"]
    return make


def elsewhere(folder: Path, text: str) -> Step:
    """Return a function `make` of another file, which has that text besides."""
    folder.mkdir()
    (folder / "making.py").write_text(f"def make(login, database, *more): pass\n{text}\n")
    spec = spec_from_file_location("making", folder / "making.py")
    assert spec
    assert spec.loader
    spec.loader.exec_module(module := module_from_spec(spec))
    make: Step = module.make
    return make


def versioned(call: Step, seed: Step | None = None) -> str | None:
    return CallableSchema(call, seed, version="1").key("11")


def test_of_what_has_a_version_all_that_is_known_is_in_the_key(tmp_path: Path) -> None:
    one, other = elsewhere(tmp_path / "one", "1"), elsewhere(tmp_path / "other", "2")
    keys = [
        versioned(one),
        versioned(other),
        versioned(partial(one, more="shop")),
        versioned(partial(one, more="blog")),
        versioned(partial(other, more="blog")),
        versioned(partial(one, more=Path("blog"))),
        versioned(partial(one, more=["blog"])),
        versioned(one, partial(seed)),
        versioned(other, partial(seed)),
        versioned(wrapper),
        versioned(seed),
        versioned(closure("shop")),
        versioned(closure("blog")),
        versioned(Maker().make),
        versioned(Shop()),
        versioned(Shop().__call__),
        versioned(partial(one, more=Maker())),
        versioned(partial(one, more=Shop())),
    ]
    assert len(set(keys)) == len(keys)
    assert None not in keys


def test_what_has_a_version_has_the_same_key_in_another_process() -> None:
    with_values = closure([Maker(), frozenset({"a", "b"})])
    code = (
        "from test_schema_keys import *\n"
        "print(versioned(closure([Maker(), frozenset({'a', 'b'})])))"
    )
    said = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == versioned(with_values)


def test_what_calls_itself_has_a_key() -> None:
    def make(login: Login, database: str) -> None:
        make(login, database)

    assert versioned(make)


@pytest.mark.parametrize(
    "call", [typed("1"), partial(typed("1")), partial(typed("1"), "shop"), partial(print)]
)
def test_what_no_file_tells_of_has_no_key_though_it_has_a_version(
    call: Step,
) -> None:
    assert versioned(call) is None
    assert versioned(seed, call) is None


@pytest.mark.parametrize(
    "schema",
    [
        CallableSchema(closure("a"), also=()),
        CallableSchema(Shop(), also=()),
        CallableSchema(typed("1"), also=()),
        CallableSchema(with_default, also=()),
        CallableSchema(Maker().make, also=()),
        CallableSchema(wrapper, also=()),
        Other(seed, also=()),
    ],
    ids=["a closure", "an object", "typed", "a default", "a method", "a wrapper", "another class"],
)
def test_what_depends_on_more_than_its_file_has_no_key(schema: CallableSchema) -> None:
    assert schema.key("11") is None


def test_where_nobody_says_what_a_callable_imports_it_has_no_key(
    write_project: WriteProject,
) -> None:
    assert CallableSchema(seed).key("11") is None
    assert AlembicSchema(write_project(SHOP), seed).key("11") is None
