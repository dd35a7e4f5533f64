"""The test projects of the contestants: each a folder with the same test, as its tool has it."""

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
        connection.select_db(create_db.name)
        yield connection.cursor()
"""
# The last of many modules: in kB, what the kernel tells of the server.
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
# The programs that pytest-mysql starts. The server stands in for mysqld_safe, whose option it does
# not know, and a signal for mysqladmin: both are faster.
MYSQLD = """\
#!/bin/sh
for word do
  shift
  [ "$word" = --skip-syslog ] || set -- "$@" "$word"
done
exec "$THROWAWAY_MYSQLD" --no-defaults --user=root "$@"
"""
ADMIN = """\
#!/bin/sh
socket=${1#--socket=}
kill -TERM "$(cat "${socket%/*}"/mysql-server.*.pid)"
"""
# Debian has my_print_defaults, which has nothing to print here, in another package.
INSTALL_DB = """\
#!/bin/sh
set -e
usr=$(dirname "$(dirname "$THROWAWAY_MYSQLD")")
mkdir -p .usr/bin
ln -sfn "$usr/sbin" "$usr/share" "$usr/lib" .usr/
ln -sf "$usr/bin/resolveip" .usr/bin/
ln -sf /usr/bin/true .usr/bin/my_print_defaults
exec "$usr/bin/mariadb-install-db" --no-defaults --basedir="$PWD/.usr" "$@"
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
    "USER": "root",
    "PASSWORD": os.environ["PASSWORD"],
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
    "pytest-mysql": {
        "conftest.py": PYTEST_MYSQL,
        "test_it.py": TEST,
        "bin/mysqld": MYSQLD,
        "bin/mysqld-safe": MYSQLD,
        "bin/install-db": INSTALL_DB,
        "bin/admin": ADMIN,
    },
    "utils": {"conftest.py": UTILS, "test_it.py": TEST},
    "django": {"manage.py": MANAGE, "test_it.py": DJANGO},
}

INI = "[alembic]\nscript_location = %(here)s/migrations\nprepend_sys_path = %(here)s\n"
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
# As a shop might have it. The first revisions make the tables, the others columns. Every table
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
