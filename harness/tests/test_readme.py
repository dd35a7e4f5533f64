"""The README's names exist, and its examples run as projects."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from throwaway_mysql import plugin
from throwaway_mysql.login import Login

README = (Path(__file__).parents[1] / "README.md").read_text()
EXAMPLES = Path(__file__).with_name("examples")
NAMES = sorted(folder.name for folder in EXAMPLES.iterdir())

REVISION = """
from alembic import op

revision, down_revision = "first", None

def upgrade():
    op.execute("CREATE TABLE guest (name VARCHAR(50))")
"""
FINDS_TABLE = """
def test_it(create_db):
    with create_db.login.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {create_db.name}.guest")
"""
FLASK = """
import flask_migrate
import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from throwaway_mysql import CallableSchema

database = SQLAlchemy()
migrate = flask_migrate.Migrate()

class Guest(database.Model):
    id = database.Column(database.Integer, primary_key=True)

def create_app(**config):
    app = Flask(__name__)
    app.config |= config
    database.init_app(app)
    migrate.init_app(app, database)
    return app

"""
SCHEMA = """

@pytest.fixture(scope="session")
def mysql_schema():
    return CallableSchema(upgrade)
"""
IMPORTS = "from throwaway_mysql.migration_tests import *"
MIGRATES = """
import sys
import flask_migrate
from conftest import create_app

with create_app(SQLALCHEMY_DATABASE_URI=sys.argv[1]).app_context():
    flask_migrate.init()
    flask_migrate.migrate()
"""


def blocks(language: str) -> list[str]:
    """Return the README's code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.M | re.S)


def block(of: str) -> str:
    """Return the Python block that contains this text."""
    (found,) = [text for text in blocks("python") if of in text]
    return found


def table(head: str) -> list[str]:
    """Return the names in the first column of the table with this heading."""
    (body,) = re.findall(rf"^\| {head} \|.*\n\|[-|]+\n((?:\|.*\n)+)", README, re.M)
    first = [row.split("|")[1] for row in body.splitlines()]
    return list(dict.fromkeys(re.findall(r"`([\w-]+)", " ".join(first))))


def test_the_tables_have_every_fixture_option_and_ini_name(pytester: pytest.Pytester) -> None:
    output = pytester.runpytest_inprocess("--fixtures", "-p", "no:asyncio").stdout.str()
    found = re.findall(r"^(\w+)(?: \[.*\])? -- .*/throwaway_mysql/fixtures\.py:\d+$", output, re.M)
    assert sorted(table("fixture")) == sorted(found)
    assert sorted(table("in pytest's ini file")) == sorted(name for name, *_ in plugin.INI)
    parser = pytest.Parser(_ispytest=True)
    plugin.pytest_addoption(parser)
    options = [name for option in parser._anonymous.options for name in option.names()]  # noqa: SLF001
    assert sorted(table("option")) == sorted(options)


def test_no_conftest_is_needed(private_project: Any) -> None:
    private_project.run(it=block("def test_it_has_a_database")).assert_outcomes(passed=1)


def test_the_first_example_passes(private_project: Any) -> None:
    path = private_project.pytester.path
    alembic = [sys.executable, "-m", "alembic"]
    subprocess.run([*alembic, "init", "migrations"], cwd=path, check=True, capture_output=True)
    env, ini = path / "migrations/env.py", path / "alembic.ini"
    begin = "def run_migrations_online() -> None:\n"
    env.write_text(env.read_text().replace(begin, begin + block("context.configure")))
    (path / "migrations/versions/first.py").write_text(REVISION)
    conftest = block("return AlembicSchema")
    private_project.run(conftest=conftest, it=FINDS_TABLE).assert_outcomes(passed=1)
    # Alembic's own command still goes where the ini says.
    url = "sqlalchemy.url = sqlite:///x"
    ini.write_text(re.sub("(?m)^sqlalchemy.url = .*", url, ini.read_text()))
    subprocess.run([*alembic, "upgrade", "head"], cwd=path, check=True, capture_output=True)
    assert (path / "x").exists()


def test_the_example_of_flask_migrate_passes(private_project: Any) -> None:
    pytest.importorskip("flask_migrate")
    path = private_project.pytester.path
    conftest = FLASK + block("def upgrade") + SCHEMA
    private_project.write(conftest=conftest, it=FINDS_TABLE)
    argv = [sys.executable, "-c", MIGRATES, "sqlite:///empty"]
    subprocess.run(argv, cwd=path, check=True, capture_output=True)
    private_project.pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_the_tests_to_import_are_those_of_the_example() -> None:
    assert f"`{IMPORTS}`" in README
    names: dict[str, object] = {}
    exec(IMPORTS, names)  # noqa: S102 (the README's)
    assert [name for name in names if name.startswith("test_")]


def run_example(pytester: pytest.Pytester, name: str, *options: str) -> pytest.RunResult:
    """Run pytest on a copy of an example, in a process of its own."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(EXAMPLES / name, pytester.path, dirs_exist_ok=True, ignore=ignored)
    return pytester.run(sys.executable, "-m", "pytest", *options)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_passes_on_a_private_server(
    pytester: pytest.Pytester, mysql_program: str, name: str
) -> None:
    options = (f"--mysqld={mysql_program}", "-n", "2", "-p", "randomly")
    result = run_example(pytester, name, *options)
    assert result.ret == 0
    result.stdout.re_match_lines([".*[1-9] passed"])


@pytest.mark.parametrize("name", NAMES)
def test_an_example_passes_on_a_server_of_ones_own(
    pytester: pytest.Pytester,
    narrow: Login,
    prefix: str,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    monkeypatch.setenv("THROWAWAY_MYSQL_URL", narrow.url())
    assert run_example(pytester, name, "-o", f"mysql_prefix={prefix}").ret == 0


def test_the_readme_names_every_example_and_its_recipes_are_theirs() -> None:
    assert sorted(set(re.findall(r"\(tests/examples/(\w+)/?\)", README))) == NAMES
    texts = [(EXAMPLES / name / "conftest.py").read_text() for name in NAMES]
    found = [recipe for recipe in blocks("python") if any(recipe in text for text in texts)]
    assert len(found) == 5
