"""What revisions import of their project: a change there makes a schema's key another."""

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
# A project's modules, each found in another way.
PROJECT = {
    "shop_sizes.py": "import shop_units\nNAME = 9\n",
    "shop_units.py": "",
    "shop_app/__init__.py": "",
    "shop_app/kinds.py": "from . import names\n",
    "shop_app/names.py": "from .deep.down import there\n",
    "shop_app/deep/down.py": "there = 1\n",
    "shop_app/unused.py": "",
    "shop_spaces/part.py": "",
}
IMPORTS = """
import sys, json, no_such_module, sqlalchemy as sa
from alembic import op
import shop_sizes

def upgrade():
    from shop_app.kinds import KIND
    import shop_spaces.part
"""


@pytest.fixture
def revision(tmp_path: Path) -> Path:
    """Write the modules, and a file that imports them; return that."""
    for name, text in PROJECT.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    revision = tmp_path / "versions/one.py"
    revision.parent.mkdir()
    revision.write_text(IMPORTS)
    return revision


def found(revision: Path) -> set[str]:
    folder = revision.parents[1]
    return {str(path.relative_to(folder)) for path in own_imports([revision], folder)}


def test_own_modules_are_followed_and_installed_ones_are_not(revision: Path) -> None:
    assert found(revision) == PROJECT.keys() - {"shop_app/unused.py"}


def test_nothing_is_imported_by_the_looking(revision: Path) -> None:
    before = set(sys.modules)
    own_imports([revision], revision.parents[1])
    assert not [name for name in set(sys.modules) - before if name.startswith("shop_")]


def test_modules_are_found_where_python_does(
    revision: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    folder = tmp_path / "elsewhere"
    assert tmp_path / "shop_app/deep/down.py" in own_imports([revision], folder)


def test_a_file_is_read_anew_when_it_has_changed(revision: Path) -> None:
    assert "shop_app/unused.py" not in found(revision)
    revision.write_text("import shop_app.unused\n")
    assert found(revision) == {"shop_app/__init__.py", "shop_app/unused.py"}


@pytest.mark.parametrize("text", ["import (", "\0", "from . import *", "from ... import x", ""])
def test_what_imports_nothing_is_no_error(revision: Path, text: str) -> None:
    revision.write_text(text)
    assert found(revision) == set()


def test_a_key_depends_on_what_a_revision_imports_and_not_on_what_env_does(
    write_project: WriteProject,
) -> None:
    path = write_project(("import shop_length", "pass"))
    with (path.parent / "moves/env.py").open("a") as env:
        env.write("\nimport shop_models\n")
    keys = []
    for name in ("shop_length", "shop_length", "shop_models"):
        with (path.parent / f"{name}.py").open("a") as file:
            file.write("LENGTH = 9\n")
        keys.append(AlembicSchema(path).key("11"))
    assert keys[0] not in {None, keys[1]}
    assert keys[1] == keys[2]


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
