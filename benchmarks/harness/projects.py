"""The test projects of the contestants: each a folder with the same test, as its tool has it.

The test finds a table, puts a row in, and reads it back.
"""

from pathlib import Path

from benchmarks.harness import schemas

MODULES = 200
INI = "[pytest]\n"

NONE = "def test_it():\n    assert 1 + 1 == 2\n"

ROW = """\
def use(connection):
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO item0 (name) VALUES ('one')")
        cursor.execute("SELECT name FROM item0")
        assert cursor.fetchall() == (("one",),)
"""

HARNESS_CONFTEST = """\
import json
import os
from pathlib import Path

import pytest
from throwaway_mysql import AlembicSchema, Login


@pytest.fixture(scope="session")
def mysql_prefix():
    return "bench_test_"


@pytest.fixture(scope="session")
def mysql_schema():
    return AlembicSchema(Path(__file__).with_name("alembic.ini"))


@pytest.fixture(scope="session")
def mysql_configured():
    where = os.environ.get("CONFIGURED")
    return [Login(**json.loads(where))] if where else []
"""
# What the server came to, told to whoever set the variable; only the 200 modules' run does.
MEMORY = """

@pytest.fixture(scope="session", autouse=True)
def memory(mysql_server):
    yield
    if "MEMORY" in os.environ and os.environ.get("PYTEST_XDIST_WORKER", "gw0") == "gw0":
        with mysql_server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT @@datadir, @@pid_file")
            ((data, pid_file),) = cursor.fetchall()
        pid = Path(data, pid_file).read_text().strip()
        lines = Path("/proc", pid, "smaps_rollup").read_text().splitlines()[1:]
        came_to = {line.split(":")[0]: int(line.split()[1]) for line in lines}
        files = [path.stat() for path in Path(data).rglob("*") if path.is_file()]
        came_to["Data"] = sum(file.st_blocks for file in files) // 2
        Path(os.environ["MEMORY"]).write_text(json.dumps(came_to))
"""
HARNESS_TEST = f"""\
import pymysql


{ROW}

def test_it(create_db, mysql_server):
    connection = mysql_server.connect()
    connection.select_db(create_db["DATABASE_NAME"])
    use(connection)
    connection.close()
"""

PYTEST_MYSQL_TEST = f"""\
{ROW}

def test_it(mysql):
    with mysql.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE item0 (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50) NOT NULL "
            "UNIQUE, made DATETIME DEFAULT CURRENT_TIMESTAMP)"
        )
    use(mysql)
"""

CREATE_ALL = """\
import os

import pytest
import sqlalchemy as sa

metadata = sa.MetaData()
item = sa.Table(
    "item0",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(50), nullable=False, unique=True),
    sa.Column("made", sa.DateTime, server_default=sa.func.now()),
)


def test_it(engine):
    with engine.begin() as connection:
        connection.execute(item.insert().values(name="one"))
    with engine.connect() as connection:
        assert connection.scalars(sa.select(item.c.name)).all() == ["one"]
"""
UTILS = """

@pytest.fixture(scope="module")
def engine():
    from sqlalchemy_utils import create_database, drop_database

    url = sa.make_url(os.environ["SERVER_URL"]).set(database="bench_test")
    create_database(url)
    engine = sa.create_engine(url)
    metadata.create_all(engine)
    yield engine
    engine.dispose()
    drop_database(url)
"""
SQLITE = """

@pytest.fixture(scope="module")
def engine():
    engine = sa.create_engine("sqlite://")
    metadata.create_all(engine)
    yield engine
    engine.dispose()
"""
TESTCONTAINERS = """

@pytest.fixture(scope="module")
def engine():
    from testcontainers.community.mysql import MySqlContainer

    with MySqlContainer(os.environ.get("IMAGE", "mysql:8.4"), dialect="pymysql") as server:
        engine = sa.create_engine(server.get_connection_url())
        metadata.create_all(engine)
        yield engine
        engine.dispose()
"""
PYTEST_DATABASES = """
pytest_plugins = ["pytest_databases.docker.mysql"]


@pytest.fixture(scope="module")
def engine(mysql_service):
    at = mysql_service
    engine = sa.create_engine(
        sa.URL.create("mysql+pymysql", at.user, at.password, at.host, at.port, at.db)
    )
    metadata.create_all(engine)
    yield engine
    metadata.drop_all(engine)
    engine.dispose()
"""

MANAGE = """\
import os
import sys

import pymysql
from django.core.management import execute_from_command_line

pymysql.install_as_MySQLdb()
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
execute_from_command_line(sys.argv)
"""
DJANGO_SETTINGS = """\
import json
import os

where = json.loads(os.environ["CONFIGURED"])
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.mysql",
        "NAME": "bench",
        "USER": where["user"],
        "PASSWORD": where["password"],
        "HOST": where["host"],
        "PORT": where["port"],
    }
}
INSTALLED_APPS = ["shop"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
SECRET_KEY = "of a benchmark"
USE_TZ = True
"""
DJANGO_MODELS = """\
from django.db import models


class Item(models.Model):
    name = models.CharField(max_length=50, unique=True)
    made = models.DateTimeField(auto_now_add=True)
"""
DJANGO_MIGRATION = """\
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Item",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=50, unique=True)),
                ("made", models.DateTimeField(auto_now_add=True)),
            ],
        )
    ]
"""
DJANGO_TEST = """\
from django.test import TestCase

from shop.models import Item


class ItemTest(TestCase):
    def test_it(self):
        Item.objects.create(name="one")
        self.assertEqual(list(Item.objects.values_list("name", flat=True)), ["one"])
"""

FILES = {
    "none": {"test_one.py": NONE},
    "harness": {"conftest.py": HARNESS_CONFTEST, "test_one.py": HARNESS_TEST},
    "pytest-mysql": {"test_one.py": PYTEST_MYSQL_TEST},
    "utils": {"test_one.py": CREATE_ALL + UTILS},
    "sqlite": {"test_one.py": CREATE_ALL + SQLITE},
    "testcontainers": {"test_one.py": CREATE_ALL + TESTCONTAINERS},
    "pytest-databases": {"test_one.py": CREATE_ALL + PYTEST_DATABASES},
    "modules": {
        "conftest.py": HARNESS_CONFTEST + MEMORY,
        **{f"test_{number:03}.py": HARNESS_TEST for number in range(MODULES)},
    },
}
DJANGO = {
    "manage.py": MANAGE,
    "settings.py": DJANGO_SETTINGS,
    "shop/__init__.py": "",
    "shop/models.py": DJANGO_MODELS,
    "shop/migrations/__init__.py": "",
    "shop/migrations/0001_initial.py": DJANGO_MIGRATION,
    "shop/tests.py": DJANGO_TEST,
}


def write(folder: Path) -> None:
    """Write all projects, each into a folder of its name."""
    for name, files in FILES.items():
        _write(folder / name, {"pytest.ini": INI, **files})
    _write(folder / "django", DJANGO)
    schemas.write(folder / "harness", revisions=1, tables=1)
    schemas.write(folder / "modules", revisions=10, tables=5)


def _write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
