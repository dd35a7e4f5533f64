"""The contestants' test projects: each a folder with the same test, written for its tool."""

from collections.abc import Mapping
from pathlib import Path

MODULES = 200
SCHEMAS = (1, 1), (10, 5), (50, 20)  # revisions, tables

NONE = "def test_it():\n    assert 1 + 1 == 2\n"
TEST = """\
import os

import pytest


@pytest.mark.parametrize("number", range(int(os.environ.get("TESTS", 1))))
def test_it(cursor, number):
    cursor.execute(f"INSERT INTO item0 (name) VALUES ('row {number}')")
    cursor.execute(f"SELECT name FROM item0 WHERE name = 'row {number}'")
    assert cursor.fetchall()[0][0] == f"row {number}"
"""
HARNESS = """\
import os
from pathlib import Path

import pytest
from throwaway_mysql import AlembicSchema


@pytest.fixture(scope="session")
def mysql_schema():
    return AlembicSchema(Path(os.environ["SCHEMA"], "alembic.ini"))


@pytest.fixture
def cursor(create_db):
    with create_db.login.connect() as connection:
        connection.select_db(create_db["DATABASE_NAME"])
        yield connection.cursor()
"""
# The last of many modules: the server's memory in kB, from the kernel.
MEMORY = """\
import re
from pathlib import Path


def test_memory(cursor):
    cursor.execute("SELECT @@datadir, @@pid_file")
    ((data, pid_file),) = cursor.fetchall()
    status = Path("/proc", Path(data, pid_file).read_text().strip(), "smaps_rollup").read_text()
    Path("memory").write_text(re.search(r"^Rss: *(\\d+) kB", status, re.M)[1])
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
# The programs that pytest-mysql starts; MariaDB's are below USR. MySQL's server replaces
# mysqld_safe, one of whose options it does not know, and a signal replaces mysqladmin: both are
# faster.
MYSQLD = """\
#!/bin/sh
exec "$THROWAWAY_MYSQLD" --no-defaults --user=root "$@"
"""
MYSQLD_SAFE = """\
#!/bin/sh
if [ "$USR" ]; then
  cd "$USR" && exec bin/mysqld_safe --no-defaults --basedir="$USR" --user=root "$@"
fi
for word do
  shift
  [ "$word" = --skip-syslog ] || set -- "$@" "$word"
done
exec "$THROWAWAY_MYSQLD" --no-defaults --user=root "$@"
"""
INSTALL_DB = """\
#!/bin/sh
exec "$USR/bin/mariadb-install-db" --no-defaults --basedir="$USR" "$@"
"""
ADMIN = """\
#!/bin/sh
[ -z "$USR" ] || exec "$USR/bin/mariadb-admin" --no-defaults "$@"
socket=${1#--socket=}
kill -TERM "$(cat "${socket%/*}"/mysql-server.*.pid)"
"""
UTILS = """\
import os
import sys

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool
from sqlalchemy_utils import create_database, drop_database

sys.path.insert(0, os.environ["SCHEMA"])
from shop import metadata


@pytest.fixture
def cursor():
    url = sa.make_url(os.environ["SERVER_URL"]).set(database="bench_utils")
    create_database(url)
    engine = sa.create_engine(url, poolclass=NullPool)
    metadata.create_all(engine)
    connection = engine.raw_connection()
    yield connection.cursor()
    connection.commit()
    connection.close()
    drop_database(url)
"""
SETTINGS = """\
import os

import pymysql

pymysql.install_as_MySQLdb()
INSTALLED_APPS = ["django.contrib.sites"]
server = {"HOST": "127.0.0.1", "PORT": os.environ["PORT"], "PASSWORD": os.environ["PASSWORD"]}
DATABASES = {
    "default": {"ENGINE": "django.db.backends.mysql", "NAME": "bench", "USER": "root", **server}
}
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
    "pytest-mysql": {
        "conftest.py": PYTEST_MYSQL,
        "test_it.py": TEST,
        "bin/mysqld": MYSQLD,
        "bin/mysqld-safe": MYSQLD_SAFE,
        "bin/install-db": INSTALL_DB,
        "bin/admin": ADMIN,
    },
    "utils": {"conftest.py": UTILS, "test_it.py": TEST},
    "django": {"settings.py": SETTINGS, "test_it.py": DJANGO},
}

INI = """\
[alembic]
script_location = %(here)s/migrations
prepend_sys_path = %(here)s
path_separator = os
"""
ENV = """\
from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
"""
REVISION = """\
from alembic import op
from shop import upgrade_to

revision, down_revision = "r{number:02}", {below!r}
branch_labels = depends_on = None


def upgrade():
    upgrade_to({number}, op.create_table, op.add_column)
"""
# Like a shop's schema. The first revisions create the tables, the others add columns. Every table
# refers to the one before, the first to itself; every second column has an index.
SHOP = """\
import sqlalchemy as sa

REVISIONS, TABLES = %d, %d


def upgrade_to(number, create_table, add_column):
    table = f"item{number %% TABLES}"
    if number >= TABLES:
        return add_column(table, sa.Column(f"c{number}", sa.Integer, index=number %% 2 == 0))
    return create_table(
        table,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(50), nullable=False, unique=True),
        sa.Column("made", sa.DateTime, server_default=sa.func.now()),
        sa.Column("parent", sa.Integer, sa.ForeignKey(f"item{max(number - 1, 0)}.id")),
    )


metadata = sa.MetaData()
for number in range(REVISIONS):
    upgrade_to(
        number,
        lambda table, *columns: sa.Table(table, metadata, *columns),
        lambda table, column: metadata.tables[table].append_column(column),
    )
"""


def write(folder: Path) -> None:
    """Write each project and each schema into `folder`."""
    for project, files in PROJECTS.items():
        _write(folder / project, {"pytest.ini": "[pytest]\n", **files})
    for revisions, tables in SCHEMAS:
        migrations = {
            f"migrations/versions/r{number:02}.py": REVISION.format(
                number=number, below=f"r{number - 1:02}" if number else None
            )
            for number in range(revisions)
        }
        shop = {"alembic.ini": INI, "shop.py": SHOP % (revisions, tables)}
        _write(schema(folder, revisions, tables), {"migrations/env.py": ENV, **shop, **migrations})


def schema(folder: Path, revisions: int, tables: int) -> Path:
    """Return the folder of a schema."""
    return folder / f"schema-{revisions}-{tables}"


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o700)  # some are programs
