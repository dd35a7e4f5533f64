"""What revisions import from the folders that Alembic is to put before Python's path."""

import os
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest

from throwaway_mysql import AlembicSchema
from throwaway_mysql.login import Login
from throwaway_mysql.schemas.imports import own_imports

WriteProject = Callable[..., Path]
NewDatabase = Callable[[], str]


@pytest.fixture
def prepending(write_project: WriteProject, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the ini of a project where a revision imports a module of src/, for another option."""
    made = "op.create_table('shop', sa.Column('name', sa.String(LENGTH)))"
    path = write_project((f"from shop_width import LENGTH; {made}", "pass"))
    (path.parent / "src").mkdir()
    (path.parent / "src/shop_width.py").write_text("LENGTH = 9\n")
    monkeypatch.chdir(path.parent)
    monkeypatch.setattr(sys, "path", sys.path[:])  # Alembic adds to it
    yield path
    sys.modules.pop("shop_width", None)


def is_followed(path: Path) -> bool:
    """Tell whether the key is another after a change in src/."""
    before = AlembicSchema(path).key("11")
    with (Path("src") / "shop_width.py").open("a") as file:
        file.write("LENGTH = 99\n")
    assert before
    return AlembicSchema(path).key("11") != before


@pytest.mark.parametrize(
    ("separator", "named"),
    [
        ("path_separator = os", "src"),
        ("path_separator = os", f"nowhere{os.pathsep}%(here)s/src"),
        ("path_separator = space", "nowhere src"),
        ("", "nowhere, src"),
        ("", "nowhere:src"),
        ("version_path_separator = newline", "nowhere:src"),
    ],
)
def test_modules_are_found_in_the_folders_that_an_ini_prepends(
    prepending: Path, separator: str, named: str
) -> None:
    text = prepending.read_text().replace("path_separator = os", separator)
    prepending.write_text(f"{text}prepend_sys_path = {named}\n")
    assert is_followed(prepending)


@pytest.mark.parametrize("name", ["alembic.ini", "pyproject.toml"])
def test_modules_are_found_in_the_folders_that_a_pyproject_prepends(
    prepending: Path, name: str
) -> None:
    prepending.write_text("[alembic]\n")
    prepending.with_name("pyproject.toml").write_text(
        '[tool.alembic]\nscript_location = "moves"\nprepend_sys_path = ["%(here)s/src"]\n'
    )
    assert is_followed(prepending.with_name(name))


def test_a_folder_is_no_package_where_there_is_one_elsewhere(
    prepending: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    src = prepending.parent / "src"
    (src / "shop_width.py").rename(tmp_path / "shop_width.py")
    (src / "shop_width").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    revision = prepending.parent / "moves/versions/r0.py"
    assert own_imports([revision], src, [src]) == {tmp_path / "shop_width.py"}


def test_what_is_imported_already_is_what_a_revision_gets(
    prepending: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shop_width.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    import_module("shop_width")
    revision, src = prepending.parent / "moves/versions/r0.py", prepending.parent / "src"
    assert own_imports([revision], src, [src]) == {tmp_path / "shop_width.py"}


def test_a_key_is_the_same_before_and_after_alembic_has_prepended(
    prepending: Path, mysql_server: Login, new_database: NewDatabase
) -> None:
    with prepending.open("a") as ini:
        ini.write("prepend_sys_path = src\n")
    schema = AlembicSchema(prepending)
    before = schema.key("11")
    schema.make(mysql_server, new_database())
    assert "shop_width" in sys.modules
    assert schema.key("11") == before
    assert is_followed(prepending)
