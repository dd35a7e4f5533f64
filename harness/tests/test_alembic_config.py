"""An Alembic project's configuration is found as its authors left it."""

import sys
import warnings
from pathlib import Path

import pytest
from support.projects import SHOP, assert_migrates, tables, write

from throwaway_mysql.databases import Databases
from throwaway_mysql.errors import ServerError
from throwaway_mysql.login import Login
from throwaway_mysql.migrations import AlembicProject
from throwaway_mysql.schema import AlembicSchema

pytestmark = pytest.mark.parametrize("account", ["root"], indirect=True)
INIS = {
    "a comment behind": "[alembic]\nscript_location = moves\nprepend_sys_path = .\n"
    "version_path_separator = os  # Use os.pathsep. Default configuration used for new projects.\n",
    "no separator": "[alembic]\nscript_location = moves\nprepend_sys_path = . lib\n",
    "here": "[alembic]\nscript_location = %(here)s/moves\nprepend_sys_path = .\n"
    "path_separator = os\n",
}


@pytest.mark.parametrize("ini", INIS)
@pytest.mark.parametrize("cwd", [".", "tests/deep", "..", "/"])
@pytest.mark.parametrize("name", ["project", "feature%2Fx %(here)s"])
def test_an_ini_is_found_and_its_paths_hold_from_any_folder(
    account: Login,
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ini: str,
    cwd: str,
    name: str,
) -> None:
    folder = tmp_path / name
    path = write(folder, SHOP)
    path.write_text(INIS[ini])
    module = f"shop_models_{abs(hash(database))}"
    (folder / f"{module}.py").write_text("")
    env = folder / "moves/env.py"
    env.write_text(f"import {module}\n{env.read_text()}")
    (folder / "tests/deep").mkdir(parents=True)
    monkeypatch.chdir(folder / cwd)
    before = sys.path[:], Path.cwd()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ini_path = "alembic.ini" if cwd in {".", "tests/deep"} else path
        assert_migrates(AlembicSchema(ini_path), account, database)
    assert (sys.path, Path.cwd()) == before


def test_an_ini_below_the_folder_from_where_its_paths_begin(
    account: Login, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, SHOP)
    path.rename(below := tmp_path / "moves/alembic.ini")
    (tmp_path / "tests").mkdir()
    monkeypatch.chdir(tmp_path / "tests")
    below.write_text("[alembic]\nscript_location = moves\n")
    assert_migrates(AlembicSchema(below), account, database)
    below.write_text("[alembic]\n")  # as Flask-Migrate has it
    AlembicProject(below, account, database).downgrade("base")
    assert "shop" not in tables(account, database)


def test_a_pyproject_and_sections_with_tables_of_their_own(
    account: Login, databases: Databases, tmp_path: Path
) -> None:
    path = write(tmp_path, SHOP)
    pyproject = tmp_path / "pyproject.toml"
    pyproject.write_text('[tool.alembic]\nscript_location = "%(here)s/moves"\n')
    assert_migrates(AlembicSchema(pyproject), account, databases.create().name)
    path.write_text("[shop]\nscript_location = moves\n[other]\nscript_location = nowhere\n")
    env = tmp_path / "moves/env.py"
    env.write_text(env.read_text().replace("target_metadata=metadata", "version_table='at'"))
    database = databases.create().name
    assert_migrates(AlembicSchema(path, name="shop"), account, database)
    assert tables(account, database) == {"shop", "at"}
    project = AlembicSchema(path, name="shop").project(account, database)
    assert project.current() == ("r0",)
    project.downgrade("base")
    assert project.current() == ()
    for name in ("other", "none"):
        path.with_name("pyproject.toml").unlink(missing_ok=True)
        with pytest.raises(ServerError, match=r"nowhere|no script_location in .none."):
            AlembicSchema(path, name=name).make(account, databases.create().name)


def test_an_ini_that_is_not_there_is_one_line(account: Login, tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"there is no .*alembic\.ini: correct the path"):
        AlembicSchema(tmp_path / "alembic.ini").make(account, "any")


def test_no_revisions_yet_is_one_right_line(account: Login, database: str, tmp_path: Path) -> None:
    with pytest.raises(
        ServerError, match=r"there are no revisions yet in .*versions: make the first"
    ):
        AlembicSchema(write(tmp_path)).make(account, database)
