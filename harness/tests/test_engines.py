"""What leads to a database: its URL and SQLAlchemy's engines."""

import asyncio
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.ext.asyncio import AsyncEngine

from throwaway_mysql.databases.database import Coordinates, throwaway_database
from throwaway_mysql.login import Login
from throwaway_mysql.plugin.engines import ASYNC, new_engine
from throwaway_mysql.servers.run import RunServer

DRIVERS = ["pymysql", "aiomysql", "asyncmy"]  # mysqlclient's dialect is only its URL
SIGNS = "%s@:/#?'\"\\ é☃"

RunProject = Callable[..., "subprocess.CompletedProcess[str]"]

USES_ENGINE = """
from sqlalchemy import text

def test_it(db_engine, create_db):
    with db_engine.connect() as connection:
        name = connection.scalar(text("SELECT DATABASE()"))
    assert name == create_db["DATABASE_NAME"]
"""
WANTS_ENGINE = """
def test_it(db_engine):
    pass
"""
# The server refuses the account, which is root's, or is not where it was.
CANNOT_CONNECT = """
import asyncio
import pytest
from throwaway_mysql.plugin.engines import new_engine

@pytest.mark.parametrize("wrong", [{"DB_USERNAME": "nobody"}, {"DB_PORT": 1, "DB_SOCKET": "/gone"}])
def test_it(create_db, pytestconfig, wrong):
    engine = new_engine(create_db | wrong, pytestconfig.getini("mysql_driver"))
    if hasattr(engine, "sync_engine"):
        async def connect():
            await engine.connect()
        asyncio.run(connect())
    engine.connect()
"""


@pytest.fixture(scope="module", params=[True, False], ids=["port", "socket"])
def coordinates(request: pytest.FixtureRequest, mysql_program: str) -> Iterator[Coordinates]:
    """Make a database on a server whose root has a password of awkward signs."""
    with (
        closing(RunServer(mysql_program, tcp=request.param, password=SIGNS)) as server,
        throwaway_database(server.root, "thing") as coordinates,
    ):
        assert server.root.password.endswith(SIGNS)
        assert bool(coordinates["DB_SOCKET"]) is not request.param
        yield coordinates


def asked(engine: Engine | AsyncEngine) -> Any:
    """Return the database and the character set that an engine leads to."""
    query = text("SELECT DATABASE(), @@character_set_connection")
    if isinstance(engine, Engine):
        with engine.connect() as connection:
            return connection.execute(query).one()

    async def ask() -> Any:
        async with engine.connect() as connection:
            return (await connection.execute(query)).one()

    return asyncio.run(ask())


@pytest.mark.parametrize("driver", DRIVERS)
def test_an_engine_leads_to_the_database(coordinates: Coordinates, driver: str) -> None:
    engine = new_engine(coordinates, driver)
    for _ in range(2):  # for an async engine, in two event loops
        assert asked(engine) == (coordinates["DATABASE_NAME"], "utf8mb4")


@pytest.mark.parametrize("module", ["pymysql", "aiomysql", "asyncmy", "MySQLdb"])
def test_a_driver_takes_the_password_as_it_is(coordinates: Coordinates, module: str) -> None:
    driver = pytest.importorskip(module)
    place = {"unix_socket": coordinates["DB_SOCKET"]} if coordinates["DB_SOCKET"] else {}
    password = coordinates["DB_PASSWORD"].encode().decode("latin-1")
    assert repr(password) == "'***'"
    arguments = {
        "host": coordinates["DB_HOST"],
        "port": coordinates["DB_PORT"],
        "user": coordinates["DB_USERNAME"],
        "password": password if module != "MySQLdb" else coordinates["DB_PASSWORD"],
        **place,
    }

    async def connect() -> None:
        (await driver.connect(**arguments)).close()

    with new_engine(coordinates, "pymysql").connect() as connection:  # type: ignore[union-attr]
        connection.execute(text("FLUSH PRIVILEGES"))  # MySQL asks for the password itself
    if module in ASYNC:
        asyncio.run(connect())
    else:
        driver.connect(**arguments).close()


@pytest.mark.parametrize("driver", ["", "mysqldb"])
def test_the_url_for_any_client_is_in_utf_8(coordinates: Coordinates, driver: str) -> None:
    url = urlsplit(coordinates.url(driver))
    assert url.scheme == ("mysql+mysqldb" if driver else "mysql")
    assert unquote(url.password or "") == coordinates["DB_PASSWORD"]
    assert url.path == f"/{coordinates['DATABASE_NAME']}"
    query = parse_qs(url.query)
    assert query["charset"] == ["utf8mb4"]
    assert query.get("unix_socket", [""]) == [coordinates["DB_SOCKET"]]


def test_the_engine_of_tests_leads_to_their_database(run_project: RunProject) -> None:
    done = run_project(test_it=USES_ENGINE)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_connect_that_fails_shows_no_password(
    run_project: RunProject, mysql_root: Login, driver: str
) -> None:
    ini = f"mysql_driver = {driver}\n"
    done = run_project("-l", "--tb=long", "-vv", ini=ini, test_it=CANNOT_CONNECT)
    assert "2 failed" in done.stdout, done.stdout
    assert "'password': '***'" in done.stdout, done.stdout
    assert "Access denied for user 'nobody'" in done.stdout
    assert mysql_root.password not in done.stdout + done.stderr


def test_another_driver_is_one_line(run_project: RunProject) -> None:
    done = run_project(ini="mysql_driver = oracle\n", test_it=USES_ENGINE)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    line = "mysql_driver is 'oracle': it must be one of pymysql, aiomysql, asyncmy, mysqldb"
    assert line in done.stderr


@pytest.mark.parametrize(
    ("driver", "lacking", "packages"),
    [
        ("pymysql", "sqlalchemy", "sqlalchemy pymysql"),
        ("asyncmy", "asyncmy", "sqlalchemy[asyncio] asyncmy"),
        ("aiomysql", "greenlet", "sqlalchemy[asyncio] aiomysql"),
        ("mysqldb", "MySQLdb", "sqlalchemy mysqlclient"),
    ],
)
def test_a_package_that_is_missing_is_one_line(
    run_project: RunProject, driver: str, lacking: str, packages: str
) -> None:
    done = run_project(ini=f"mysql_driver = {driver}\n", lacking=(lacking,), test_it=WANTS_ENGINE)
    assert f"no engine for {driver} (" in done.stdout
    assert f"): pip install {packages}\n" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
