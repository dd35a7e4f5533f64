"""What revisions import of their project: a change there makes a schema's key another."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from throwaway_mysql import AlembicSchema
from throwaway_mysql.schemas.imports import own_imports

WriteProject = Callable[..., Path]
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


@pytest.mark.parametrize(
    ("folder", "files"),
    [
        ("venv/lib/python3/site-packages", []),
        ("usr/lib/python3/dist-packages", []),
        ("target", ["shop_wood-1.dist-info/RECORD"]),
    ],
)
def test_what_is_installed_anywhere_is_not_followed(
    revision: Path, monkeypatch: pytest.MonkeyPatch, folder: str, files: list[str]
) -> None:
    there = revision.parents[1] / folder
    installed = ["shop_wood/__init__.py", "shop_wood/deep/__init__.py", "shop_nail.py"]
    for name in [*installed, *files, "shop_sizes.py"]:
        (there / name).parent.mkdir(parents=True, exist_ok=True)
        lines = [f"{each},sha256=_,1\n" for each in installed if name.endswith("RECORD")]
        (there / name).write_text("".join(lines))
    revision.write_text("import shop_wood.deep, shop_nail, shop_sizes")
    monkeypatch.syspath_prepend(str(there))
    own = {f"{folder}/shop_sizes.py"} if files else set()  # beside them, but not one of them
    assert found(revision) == own


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
