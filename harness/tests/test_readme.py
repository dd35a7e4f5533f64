"""What the README promises is there, and its examples run, as a project's own tests."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from throwaway_mysql import plugin
from throwaway_mysql.plugin import app_fixtures

README = (Path(__file__).parents[1] / "README.md").read_text()
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
    op.execute("CREATE TABLE shop (id INT)")
"""
FINDS_ROWS = """
from throwaway_mysql.testing.looking import rows

@pytest.mark.parametrize("time", [1, 2])
def test_it(create_db, mysql_server, time):
    found = rows(mysql_server, create_db["DATABASE_NAME"])["country"]
    assert found == [{"code": b"no"}, {"code": b"pt"}]
"""


def blocks(language: str) -> list[str]:
    """Return the README's code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.M | re.S)


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


@pytest.mark.parametrize("more", ["", ON_A_PORT], ids=["by its socket", "by a port"])
def test_the_first_example_passes(tmp_path: Path, mysql_program: str, more: str) -> None:
    conftest, test, environment, *_ = blocks("python")
    alembic = Path(sys.executable).with_name("alembic")
    subprocess.run([alembic, "init", "migrations"], cwd=tmp_path, check=True, capture_output=True)
    env = tmp_path / "migrations/env.py"
    online = r"def run_migrations_online\(\).*?\n(?=\S)"
    env.write_text(re.sub(online, environment + "\n", env.read_text(), count=1, flags=re.S))
    (tmp_path / "migrations/versions/first.py").write_text(REVISION)
    (tmp_path / "conftest.py").write_text(conftest + more)
    (tmp_path / "test_it.py").write_text(test)
    assert "1 passed" in (said := pytest_says(tmp_path, f"--mysqld={mysql_program}")), said


def test_the_example_of_a_seed_passes(run_pytest: RunPytest) -> None:
    (example,) = [block for block in blocks("python") if "CallableSchema" in block]
    done = run_pytest("-o", "mysql_database=test", it=example + FINDS_ROWS)
    assert "2 passed" in done.stdout, done.stdout


def test_the_tests_to_import_are_those_of_the_example() -> None:
    (example,) = [block for block in blocks("python") if "migration_tests" in block]
    names: dict[str, object] = {}
    exec(example, names)  # noqa: S102 (the README's)
    assert [name for name in names if name.startswith("test_")]
