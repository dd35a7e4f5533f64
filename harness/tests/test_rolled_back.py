"""A connection for a test, in a transaction that is rolled back, and what commits it."""

import re
import subprocess
from collections.abc import Callable

import pytest

DRIVERS = ["pymysql", "aiomysql", "asyncmy"]
RunProject = Callable[..., "subprocess.CompletedProcess[str]"]

# What an app does that commits, and the same test again, after it was rolled back.
JOINS = """
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

@pytest.mark.parametrize("number", range(2))
def test_it(db_connection, number):
    with Session(db_connection, join_transaction_mode="create_savepoint") as session:
        session.execute(text("INSERT INTO t VALUES (1)"))
        session.commit()
    assert db_connection.scalar(text("SELECT COUNT(*) FROM t")) == 1
"""
JOINS_ASYNC = """
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import async_sessionmaker

@pytest.mark.parametrize("number", range(2))
async def test_it(db_connection, number):
    sessions = async_sessionmaker(db_connection, join_transaction_mode="create_savepoint")
    async with sessions.begin() as session:
        await session.execute(text("INSERT INTO t VALUES (1)"))
    assert await db_connection.scalar(text("SELECT COUNT(*) FROM t")) == 1
"""
# One test that commits, one that does not.
COMMITS = """
import pytest
from sqlalchemy import text

@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_it(db_connection, end):
    db_connection.execute(text("INSERT INTO t VALUES (1)"))
    getattr(db_connection, end)()
"""
# In its second transaction, one test that commits by DDL, one that does not.
COMMITS_BY_DDL = """
import pytest
from sqlalchemy import text

@pytest.mark.parametrize("kind", ["TABLE", "TEMPORARY TABLE"])
def test_it(db_connection, kind):
    db_connection.rollback()
    db_connection.execute(text("INSERT INTO t VALUES (1)"))
    db_connection.execute(text(f"CREATE {kind} other (n INT)"))
"""
# After the second statement SQLAlchemy knows that the connection is lost.
LOSES = """
import pytest
from sqlalchemy import exc, text

@pytest.mark.parametrize("statements", [1, 2], ids=["unknown", "known"])
def test_it(db_connection, statements):
    for statement in ["KILL CONNECTION_ID()", "DO 1"][:statements]:
        with pytest.raises(exc.SQLAlchemyError):
            db_connection.execute(text(statement))
"""
TABLE = """
from dataclasses import replace
from throwaway_mysql import CallableSchema

def make(login, database):
    with replace(login, database=database).connect() as connection:
        connection.cursor().execute("CREATE TABLE t (n INT)")

@pytest.fixture(scope="session")
def mysql_schema():
    return CallableSchema(make)
"""
FUNCTION_LOOPS = "asyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n"


@pytest.mark.parametrize(
    ("driver", "plugin"),
    [*((driver, "asyncio") for driver in DRIVERS), ("aiomysql", "anyio")],
)
def test_what_a_test_commits_on_its_connection_is_rolled_back(
    run_project: RunProject, driver: str, plugin: str
) -> None:
    test = JOINS if driver == "pymysql" else JOINS_ASYNC
    options = {"asyncio": [], "anyio": ["-p", "no:asyncio", "--anyio-mode=auto"]}[plugin]
    ini = f"mysql_driver = {driver}\n" + (FUNCTION_LOOPS if plugin == "asyncio" else "")
    done = run_project(*options, ini=ini, conftest=TABLE, test_it=test)
    assert "2 passed" in done.stdout, done.stdout


def run_for(run_project: RunProject, driver: str, test: str) -> str:
    """Run the test with a driver, where need be as an async one; return what that said."""
    if driver != "pymysql":
        awaited = re.sub(r"^( +)(db_connection\.|getattr)", r"\1await \2", test, flags=re.M)
        test = awaited.replace("def test", "async def test")
    ini = f"mysql_driver = {driver}\n{FUNCTION_LOOPS}"
    return run_project("-p", "no:randomly", "-q", ini=ini, conftest=TABLE, test_it=test).stdout


@pytest.mark.parametrize(
    ("test", "line"),
    [
        (COMMITS, "db_connection was committed: use a session or begin_nested() that joins"),
        (COMMITS_BY_DDL, "a statement ended db_connection's transaction, as DDL "),
    ],
    ids=["itself", "by its statement"],
)
@pytest.mark.parametrize("driver", DRIVERS)
def test_a_test_that_commits_its_connection_is_told(
    run_project: RunProject, driver: str, test: str, line: str
) -> None:
    said = run_for(run_project, driver, test)
    assert "2 passed, 1 error" in said, said
    assert f"\n{line}" in said


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_connection_that_was_lost_is_not_said_to_be_committed(
    run_project: RunProject, driver: str
) -> None:
    said = run_for(run_project, driver, LOSES)
    assert "2 passed" in said, said
    assert "ended db_connection" not in said
    assert "test_it[known]" not in said  # that is an error
    assert ".InterfaceError) (0, " not in said  # but why it was lost
