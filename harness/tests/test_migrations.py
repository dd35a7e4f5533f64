"""Typical Alembic projects are migrated on the tests' database, and on no other."""

import logging
import sys
from pathlib import Path

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import ProgrammingError
from support.processes import collect_garbage
from support.projects import NAME, SHOP, assert_migrates, tables, write
from support.sql import is_mariadb, run

from throwaway_mysql.databases import Databases
from throwaway_mysql.errors import ServerError
from throwaway_mysql.login import Login
from throwaway_mysql.migrations import USE_IT
from throwaway_mysql.schema import AlembicSchema

pytestmark = pytest.mark.parametrize("account", ["root"], indirect=True)
# Like Alembic's own templates, but it uses the connection if it is given one.
ASYNC = """
import asyncio
from alembic import context
from sqlalchemy import pool
from sqlalchemy.ext.asyncio import async_engine_from_config

def migrate(connection):
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()

async def migrate_later():
    engine = async_engine_from_config(
        context.config.get_section("alembic"), prefix="sqlalchemy.", poolclass=pool.NullPool
    )
    async with engine.connect() as connection:
        await connection.run_sync(migrate)

if {asks} and (connection := context.config.attributes.get("connection")):
    migrate(connection)
else:
    asyncio.run(migrate_later())
"""
OWN = """
from alembic import context
from sqlalchemy import engine_from_config, pool
with engine_from_config(
    context.config.get_section("alembic"), prefix="sqlalchemy.", poolclass=pool.NullPool
).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""
BY_URL = """
from alembic import context
context.configure(url=context.config.get_main_option("sqlalchemy.url"))
with context.begin_transaction():
    context.run_migrations()
"""


@pytest.mark.parametrize("driver", ["pymysql", "mysql+pymysql", "family+pymysql"])
async def test_each_driver_and_an_async_env_with_the_given_connection(
    account: Login, database: str, tmp_path: Path, driver: str
) -> None:
    driver = driver.replace("family", "mariadb" if is_mariadb(account) else "mysql")
    path = write(tmp_path, SHOP, NAME)
    (tmp_path / "moves/env.py").write_text(ASYNC.format(asks=True))
    assert_migrates(AlembicSchema(path, driver=driver), account, database)
    assert run(account, database, "SELECT * FROM alembic_version") == [("r1",)]


def test_the_drivers_own_arguments_and_words_are_the_projects(
    account: Login, database: str, tmp_path: Path
) -> None:
    two = "op.get_bind().exec_driver_sql(\"CREATE TABLE shop (n INT COMMENT '%s'); DO 1\")"
    path = write(tmp_path, (two, "pass"))
    with pytest.raises(ServerError, match=r"revision r0 .*: 1064 You have an error in your SQL"):
        AlembicSchema(path).make(account, database)
    from pymysql.constants import CLIENT

    flag = {"client_flag": CLIENT.MULTI_STATEMENTS}
    assert_migrates(AlembicSchema(path, connect_args=flag), account, database)


@pytest.mark.parametrize(
    ("driver", "line"),
    [
        ("mysqldb", "the driver mysqldb is not installed"),
        ("nosuchdriver", "the driver nosuchdriver is not installed"),
        ("aiomysql", "aiomysql is async: revisions take a sync driver, such as pymysql"),
    ],
)
def test_a_driver_that_cannot_be_used_is_one_line(
    account: Login, tmp_path: Path, driver: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "MySQLdb", None)
    with pytest.raises(ServerError, match=line):
        AlembicSchema(write(tmp_path, SHOP), driver=driver).make(account, "any")


def test_a_dialect_of_another_server_is_one_line(
    account: Login, database: str, tmp_path: Path
) -> None:
    if is_mariadb(account):
        pytest.skip("MariaDB passes for a MySQL")
    with pytest.raises(ServerError, match=r"mariadb\+pymysql: .* is not a MariaDB variant"):
        AlembicSchema(write(tmp_path, SHOP), driver="mariadb+pymysql").make(account, database)


@pytest.mark.parametrize(
    "early",
    [
        'connection.exec_driver_sql("SELECT 1")',  # begins a transaction that we must commit
        "connection = connection.engine.execution_options(a=1).connect()",
    ],
)
def test_an_env_may_begin_a_transaction_or_connect_once_more(
    account: Login, database: str, tmp_path: Path, early: str
) -> None:
    path = write(tmp_path, SHOP)
    env = tmp_path / "moves/env.py"
    env.write_text(env.read_text().replace("context.configure(", f"{early}\ncontext.configure("))
    assert_migrates(AlembicSchema(path), account, database)
    assert run(account, database, "SELECT * FROM alembic_version") == [("r0",)]


@pytest.mark.parametrize(
    ("env", "driver"),
    [(OWN, "pymysql"), (ASYNC.format(asks=False), "aiomysql"), (BY_URL, "pymysql")],
    ids=["sync", "async", "by url"],
)
@pytest.mark.parametrize(
    "url", ["", "secret", "driver://me:secret@host/db", "mysql+{}://me:secret@127.0.0.1:1/db", "{}"]
)
def test_another_database_is_never_migrated(
    account: Login, databases: Databases, tmp_path: Path, env: str, driver: str, url: str
) -> None:
    persons, path = databases.create().name, write(tmp_path, SHOP)
    env_py = tmp_path / "moves/env.py"
    env_py.write_text(env)
    url = account.url(driver, persons) if url == "{}" else url.format(driver)
    path.write_text(f"{path.read_text()}sqlalchemy.url = {url}\n")
    with pytest.raises(ServerError) as error:
        AlembicSchema(path).make(account, databases.create().name)
    collect_garbage()
    where = f" ({make_url(url)})" if persons in url and env != BY_URL else ""
    assert str(error.value) == (
        f"{env_py} tried to migrate a database other than the tests'{where}, so it was "
        f"stopped: {USE_IT}"
    )
    assert tables(account, persons) == set()
    report = str(error.getrepr(style="native"))
    assert "secret@" not in report
    assert account.password not in report


def test_an_env_that_leads_the_connection_elsewhere_is_told_of(
    account: Login, databases: Databases, tmp_path: Path
) -> None:
    path = write(tmp_path, SHOP)
    env = tmp_path / "moves/env.py"
    use = f"connection.exec_driver_sql('USE {databases.create().name}')\ncontext.configure("
    env.write_text(env.read_text().replace("context.configure(", use))
    with pytest.raises(ServerError, match=r"env\.py migrated nothing here: use config"):
        AlembicSchema(path).make(account, databases.create().name)


def test_what_is_a_bug_of_the_projects_own_keeps_its_traceback(
    account: Login, databases: Databases, tmp_path: Path
) -> None:
    path = write(tmp_path, ("raise LookupError('a bug')", "pass"))
    with pytest.raises(LookupError, match="a bug"):
        AlembicSchema(path).make(account, databases.create().name)
    write(tmp_path, SHOP)
    with (tmp_path / "moves/env.py").open("a") as file:
        file.write("\nconnection.exec_driver_sql('NONSENSE')\n")
    with pytest.raises(ProgrammingError, match="NONSENSE"):
        AlembicSchema(path).make(account, databases.create().name)


@pytest.mark.parametrize(
    "how", ["op.execute({!r})", "op.get_bind().connection.cursor().execute({!r})"]
)
def test_what_the_server_refuses_is_one_line_with_its_revision(
    account: Login, database: str, tmp_path: Path, how: str
) -> None:
    path = write(tmp_path, SHOP, (how.format("CREATE TABLE shop (n INT)"), "pass"))
    with pytest.raises(ServerError) as error:
        AlembicSchema(path).make(account, database)
    file = tmp_path / "moves/versions/r1.py"
    expected = f"revision r1 ({file}:11, in upgrade): 1050 Table 'shop' already exists"
    assert str(error.value) == expected


def test_the_url_that_an_env_sees_has_no_password(
    account: Login, database: str, tmp_path: Path
) -> None:
    path, seen = write(tmp_path, SHOP), tmp_path / "seen"
    with (tmp_path / "moves/env.py").open("a") as file:
        url = "connection.engine.url.render_as_string(hide_password=False)"
        file.write(f"\nwith open({str(seen)!r}, 'w') as seen:\n    seen.write({url})\n")
    AlembicSchema(path).make(account, database)
    assert f"/{database}" in seen.read_text()
    assert account.password not in seen.read_text()


def test_the_tests_logging_stays_as_it_was(
    account: Login, database: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path, SHOP)
    env = tmp_path / "moves/env.py"
    silences = "logging.config.dictConfig({'version': 1, 'root': {'level': 'CRITICAL'}})"
    env.write_text(f"import logging.config\n{silences}\n{env.read_text()}")
    logger = logging.getLogger("of.a.test")
    AlembicSchema(path).make(account, database)
    logger.warning("still heard")
    assert "still heard" in caplog.messages
