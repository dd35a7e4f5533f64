"""The test projects of the contestants: each a folder with the same test, as its tool has it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.harness import schemas

MODULES = 200
SCHEMAS = (1, 1), (10, 5), (50, 5), (50, 20), (50, 50)  # revisions, tables

NONE = "def test_it():\n    assert 1 + 1 == 2\n"
TEST = """\
import os

import pytest


@pytest.mark.parametrize("number", range(int(os.environ.get("TESTS", 1))))
def test_it(cursor, number):
    if "READ_ONLY" not in os.environ:
        cursor.execute(f"INSERT INTO item0 (name) VALUES ('row {number}')")
        cursor.execute(f"SELECT name FROM item0 WHERE name = 'row {number}'")
        assert cursor.fetchall()[0][0] == f"row {number}"
    else:
        cursor.execute("SELECT COUNT(*) FROM item0")
"""
HARNESS = """\
import os
from pathlib import Path

import pymysql
import pytest
from throwaway_mysql import AlembicSchema, Login


@pytest.fixture(scope="session")
def mysql_prefix():
    return "bench_test_"


@pytest.fixture(scope="session")
def mysql_schema():
    return AlembicSchema(Path(os.environ["SCHEMA"], "alembic.ini"))


@pytest.fixture(scope="session")
def mysql_configured():
    login = Login("127.0.0.1", int(os.environ["PORT"]), "bench", "bench")
    return [login] if "CONFIGURED" in os.environ else []


@pytest.fixture
def cursor(create_db):
    with pymysql.connect(
        host=create_db["DB_HOST"],
        port=create_db["DB_PORT"],
        unix_socket=create_db["DB_SOCKET"] or None,
        user=create_db["DB_USERNAME"],
        password=create_db["DB_PASSWORD"],
        database=create_db["DATABASE_NAME"],
        autocommit=True,
    ) as connection:
        yield connection.cursor()
"""
# The last of many modules: in kB, what the kernel tells of the server, and its files.
MEMORY = """\
import json
import os
from pathlib import Path


def test_memory(cursor):
    cursor.execute("SELECT @@datadir, @@pid_file")
    ((data, pid_file),) = cursor.fetchall()
    pid = Path(data, pid_file).read_text().strip()
    lines = Path("/proc", pid, "smaps_rollup").read_text().splitlines()[1:]
    measured = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    files = [path.stat() for path in Path(data).rglob("*") if path.is_file()]
    measured["Files"] = sum(file.st_blocks for file in files) // 2
    Path("memory.json").write_text(json.dumps(measured))
"""
PYTEST_MYSQL = """\
import pytest


@pytest.fixture
def cursor(mysql):
    cursor = mysql.cursor()
    cursor.execute(
        "CREATE TABLE item0 (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50) NOT NULL "
        "UNIQUE, made DATETIME DEFAULT CURRENT_TIMESTAMP)"
    )
    return cursor
"""
SQLALCHEMY = """\
import os
import sys

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

sys.path.insert(0, os.environ["SCHEMA"])
from models import metadata


@pytest.fixture
def cursor(engine):
    connection = engine.raw_connection()
    yield connection.cursor()
    connection.commit()
    connection.close()
"""
SQLITE = """

@pytest.fixture
def engine():
    engine = sa.create_engine("sqlite://")
    metadata.create_all(engine)
    return engine
"""
UTILS = """

@pytest.fixture
def engine():
    from sqlalchemy_utils import create_database, drop_database

    url = sa.make_url(os.environ["SERVER_URL"]).set(database="bench_utils")
    create_database(url)
    engine = sa.create_engine(url, poolclass=NullPool)
    metadata.create_all(engine)
    yield engine
    drop_database(url)
"""
ALEMBIC = """

@pytest.fixture
def engine():
    from alembic import command
    from alembic.config import Config

    server = sa.create_engine(os.environ["SERVER_URL"], poolclass=NullPool)
    with server.connect() as connection:
        connection.execute(sa.text("CREATE DATABASE bench_alembic"))
    engine = sa.create_engine(server.url.set(database="bench_alembic"), poolclass=NullPool)
    config = Config(os.environ["SCHEMA"] + "/alembic.ini")
    with engine.connect() as config.attributes["connection"]:
        command.upgrade(config, "head")
    yield engine
    with server.connect() as connection:
        connection.execute(sa.text("DROP DATABASE bench_alembic"))
"""
MANAGE = """\
import os
import sys

import pymysql
from django.conf import settings
from django.core.management import execute_from_command_line

pymysql.install_as_MySQLdb()
database = {
    "ENGINE": "django.db.backends.mysql",
    "NAME": "bench",
    "USER": "bench",
    "PASSWORD": "bench",
    "HOST": "127.0.0.1",
    "PORT": os.environ["PORT"],
}
settings.configure(DATABASES={"default": database}, INSTALLED_APPS=["django.contrib.sites"])
execute_from_command_line(sys.argv)
"""
DJANGO = """\
from django.contrib.sites.models import Site
from django.test import TestCase


class ItemTest(TestCase):
    def test_it(self):
        Site.objects.create(name="row 0", domain="row.0")
        self.assertEqual(Site.objects.get(domain="row.0").name, "row 0")
"""
PROJECTS: Mapping[str, Mapping[str, str]] = {
    "none": {"test_it.py": NONE},
    "harness": {"conftest.py": HARNESS, "test_it.py": TEST},
    "modules": {
        "conftest.py": HARNESS,
        **{f"test_{number:03}.py": TEST for number in range(MODULES)},
        "test_memory.py": MEMORY,
    },
    "pytest-mysql": {"conftest.py": PYTEST_MYSQL, "test_it.py": TEST},
    "pytest-mysql tuned": {"conftest.py": PYTEST_MYSQL, "test_it.py": TEST},
    "sqlite": {"conftest.py": SQLALCHEMY + SQLITE, "test_it.py": TEST},
    "utils": {"conftest.py": SQLALCHEMY + UTILS, "test_it.py": TEST},
    "alembic": {"conftest.py": SQLALCHEMY + ALEMBIC, "test_it.py": TEST},
    "django": {"manage.py": MANAGE, "test_it.py": DJANGO},
}


def write(folder: Path, options: Mapping[str, Sequence[str]]) -> None:
    """Write each project, with pytest's options for it, and the schemas, all into `folder`."""
    for project, files in PROJECTS.items():
        ini = f"[pytest]\naddopts = {' '.join(options.get(project, []))}\n"
        for name, text in {"pytest.ini": ini, **files}.items():
            file = folder / project / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    for revisions, tables in SCHEMAS:
        schemas.write(folder / schema(revisions, tables), revisions, tables)


def schema(revisions: int, tables: int) -> str:
    """Return the name of a schema's folder."""
    return f"schema-{revisions}-{tables}"
