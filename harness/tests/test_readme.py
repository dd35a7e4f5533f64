"""What the README promises is there, and its examples run, as a project's own tests."""

import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from throwaway_mysql import plugin
from throwaway_mysql.plugin import app_fixtures

README = (Path(__file__).parents[1] / "README.md").read_text()
EXAMPLES = Path(__file__).parent / "examples"
RunPytest = Callable[..., "subprocess.CompletedProcess[str]"]

ON_A_PORT = """

@pytest.fixture(scope="session")
def mysql_tcp():
    return True
"""
REVISION = """
from alembic import op

revision, down_revision = "first", None

def upgrade():
    op.execute("CREATE TABLE shop (name VARCHAR(50))")
"""
FINDS_ROWS = """
from throwaway_mysql.testing.looking import rows

@pytest.mark.parametrize("time", [1, 2])
def test_it(create_db, mysql_server, time):
    found = rows(mysql_server, create_db["DATABASE_NAME"])["country"]
    assert found == [{"code": b"no"}, {"code": b"pt"}]
"""
FINDS_TABLE = """
import pytest
from sqlalchemy import text

@pytest.mark.parametrize("time", [1, 2])
def test_it(db_engine, time):
    with db_engine.connect() as connection:
        assert connection.scalar(text("SELECT COUNT(*) FROM guest")) == 0
"""
USES_CLIENT = """

def test_it(client):
    assert client.post("/guests", json={"name": "Ada"}).status_code == 201
    assert client.get("/guests").json() == ["Ada"]
"""


def blocks(language: str) -> list[str]:
    """Return the README's code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.M | re.S)


def block(of: str) -> str:
    """Return the one of Python's blocks that has this text."""
    (found,) = [text for text in blocks("python") if of in text]
    return found


def table(head: str) -> list[str]:
    """Return what stands in the first column of the table with this head."""
    (body,) = re.findall(rf"^\| {head} \|.*\n\|[-|]+\n((?:\|.*\n)+)", README, re.M)
    return re.findall(r"^\| `([\w-]+)", body, re.M)


class Parser:
    """Notes what the plugin adds to pytest's own parser."""

    def __init__(self) -> None:
        self.options: list[str] = []
        self.ini: list[str] = []

    def addoption(self, name: str, **_: object) -> None:
        """Note an option."""
        self.options.append(name)

    def addini(self, name: str, **_: object) -> None:
        """Note a name of the ini file."""
        self.ini.append(name)


def pytest_says(folder: Path, *options: str) -> str:
    """Run pytest in a folder, and return what it says."""
    argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout


def test_the_tables_have_every_option_and_ini_name() -> None:
    parser = Parser()
    for module in (plugin, app_fixtures):
        module.pytest_addoption(parser)  # all that it needs of one
    assert sorted(table("option")) == sorted(parser.options)
    assert sorted(table("in pytest's ini file")) == sorted(parser.ini)


def test_the_table_has_every_fixture(tmp_path: Path) -> None:
    said = pytest_says(tmp_path, "--fixtures")
    found = re.findall(r"^(\w+)(?: \[.*\])? -- .*/throwaway_mysql/[\w/]+\.py:\d+$", said, re.M)
    assert sorted(table("fixture")) == sorted(found)


def test_no_conftest_is_needed(tmp_path: Path, mysql_program: str) -> None:
    (tmp_path / "test_it.py").write_text(block("def test_it_has_a_database"))
    assert "1 passed" in (said := pytest_says(tmp_path, f"--mysqld={mysql_program}")), said


@pytest.fixture
def first_project(tmp_path: Path) -> Path:
    """Write the first example, on what `alembic init` makes."""
    alembic = [sys.executable, "-m", "alembic", "init", "migrations"]
    subprocess.run(alembic, cwd=tmp_path, check=True, capture_output=True)
    env = tmp_path / "migrations/env.py"
    online = r"def run_migrations_online\(\).*?\n(?=\S)"
    new = block("def migrate") + "\n"
    env.write_text(re.sub(online, lambda _: new, env.read_text(), count=1, flags=re.S))
    (tmp_path / "migrations/versions/first.py").write_text(REVISION)
    (tmp_path / "conftest.py").write_text(block("def cursor"))
    (tmp_path / "test_it.py").write_text(block("def test_a_shop_keeps"))
    return tmp_path


@pytest.mark.parametrize("more", ["", ON_A_PORT], ids=["by its socket", "by a port"])
def test_the_first_example_passes(first_project: Path, mysql_program: str, more: str) -> None:
    with (first_project / "conftest.py").open("a") as conftest:
        conftest.write(more)
    assert "1 passed" in (said := pytest_says(first_project, f"--mysqld={mysql_program}")), said


def test_the_examples_migrations_still_go_where_the_ini_says(first_project: Path) -> None:
    ini = first_project / "alembic.ini"
    ini.write_text(
        re.sub("(?m)^sqlalchemy.url = .*", "sqlalchemy.url = sqlite:///x", ini.read_text())
    )
    alembic = [sys.executable, "-m", "alembic", "upgrade", "head"]
    subprocess.run(alembic, cwd=first_project, check=True, capture_output=True)
    with closing(sqlite3.connect(first_project / "x")) as there:
        assert there.execute("SELECT name FROM shop").fetchall() == []


def test_who_has_not_set_the_password_gets_a_private_server(
    tmp_path: Path, mysql_program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THROWAWAY_MYSQLD", mysql_program)
    (tmp_path / "conftest.py").write_text(block("def mysql_configured"))
    (tmp_path / "test_it.py").write_text(block("def test_it_has_a_database"))
    monkeypatch.delenv("MYSQL_PWD", raising=False)
    said = pytest_says(tmp_path, "-s")
    assert ", private, " in said
    assert "1 passed" in said


def test_the_example_of_a_seed_passes(run_pytest: RunPytest) -> None:
    done = run_pytest("-o", "mysql_database=test", it=block("seed=seed, also=()") + FINDS_ROWS)
    assert "2 passed" in done.stdout, done.stdout


def test_the_example_of_models_passes(tmp_path: Path, mysql_program: str) -> None:
    shutil.copy(EXAMPLES / "fastapi_aiomysql/models.py", tmp_path)
    (tmp_path / "conftest.py").write_text(block("metadata.create_all"))
    (tmp_path / "test_it.py").write_text(FINDS_TABLE)
    options = ("-o", "mysql_database=test", "--db-report", f"--mysqld={mysql_program}")
    said = pytest_says(tmp_path, *options)
    assert "2 passed" in said, said
    assert "schema: copied" in said


def test_the_example_of_a_client_for_tests_that_are_not_async_passes(
    tmp_path: Path, mysql_program: str
) -> None:
    folder = tmp_path / "project"
    shutil.copytree(EXAMPLES / "fastapi_aiomysql", folder)
    (folder / "test_it.py").write_text(block("TestClient") + USES_CLIENT)
    said = pytest_says(folder, "test_it.py", f"--mysqld={mysql_program}")
    assert "1 passed" in said, said


def test_the_tests_to_import_are_those_of_the_example() -> None:
    names: dict[str, object] = {}
    exec(block("migration_tests"), names)  # noqa: S102 (the README's)
    assert [name for name in names if name.startswith("test_")]
