"""An event loop in which an app or a connection cannot work: one line that says what to set."""

import subprocess
from collections.abc import Callable

import pytest

from throwaway_mysql.testing.nested import ASYNCIO_ONLY, AUTO, MARKED, NO_ASYNCIO

RunProject = Callable[..., "subprocess.CompletedProcess[str]"]

FACTORY = """
async def app(scope, receive, send):
    pass

@pytest.fixture(scope="session")
def mysql_app_factory():
    return lambda database: app
"""
ONE_TEST = """
async def test_it(create_test_client):
    pass
"""
WITH_APP = """
def test_that_it_starts(create_test_app):
    pass
"""


@pytest.mark.parametrize(
    ("options", "ini", "conftest", "test", "line"),
    [
        pytest.param(
            (),
            "asyncio_mode = auto\nasyncio_default_fixture_loop_scope = fixture-scope\n",
            "",
            ONE_TEST,
            "test_it has a function's event loop, create_test_app a module's: "
            "set asyncio_default_test_loop_scope = module (or the mark's loop_scope) "
            "and asyncio_default_fixture_loop_scope = module",
            id="loops of their own",
        ),
        pytest.param(
            (),
            "asyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n",
            "",
            ONE_TEST,
            "test_it has a function's event loop, create_test_app a function's: "
            "set asyncio_default_test_loop_scope = module (or the mark's loop_scope) "
            "and asyncio_default_fixture_loop_scope = module",
            id="a loop that ends earlier",
        ),
        pytest.param(
            (),
            AUTO,
            "",
            MARKED.format("asyncio(loop_scope='function')") + ONE_TEST,
            "test_it has a function's event loop, create_test_app a module's: ",
            id="a mark",
        ),
        pytest.param(
            (),
            "mysql_driver = aiomysql\nasyncio_mode = auto\n"
            "asyncio_default_fixture_loop_scope = function\n"
            "asyncio_default_test_loop_scope = session\n",
            "",
            "async def test_it(db_connection):\n    pass",
            "test_it has a session's event loop, db_connection a function's: "
            "set asyncio_default_test_loop_scope = session (or the mark's loop_scope) "
            "and asyncio_default_fixture_loop_scope = session",
            id="a connection",
        ),
        pytest.param(
            (),
            AUTO,
            ASYNCIO_ONLY.format("module"),
            MARKED.format("anyio") + ONE_TEST,
            "create_test_app cannot be in the loops of both anyio (test_it) and pytest-asyncio"
            " (test_it): mark these tests for one of them, with asyncio_mode = strict",
            id="anyio in auto mode",
        ),
        pytest.param(
            NO_ASYNCIO,
            "mysql_database = session\n",
            "",
            MARKED.format("anyio") + ONE_TEST,
            "create_test_app needs a fixture anyio_backend that returns 'asyncio', which MySQL's "
            "drivers are made for, with scope='session'",
            id="anyio for a module",
        ),
        pytest.param(
            NO_ASYNCIO,
            "",
            ASYNCIO_ONLY.format("module").replace('"asyncio"', '"trio", {}'),
            MARKED.format("anyio") + ONE_TEST,
            "create_test_app needs a fixture anyio_backend that returns 'asyncio', which MySQL's "
            "drivers are made for, with scope='module'",
            id="trio",
        ),
        pytest.param(
            (*NO_ASYNCIO, "-p", "no:anyio"),
            "",
            "",
            WITH_APP,
            "create_test_app needs an event loop: pip install pytest-asyncio (or anyio)",
            id="no plugin",
        ),
    ],
)
def test_a_loop_in_which_it_cannot_work_is_one_line(
    run_project: RunProject, options: tuple[str, ...], ini: str, conftest: str, test: str, line: str
) -> None:
    done = run_project(*options, ini=ini, conftest=FACTORY + conftest, test_it=test)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout
    assert line in done.stdout, done.stdout
    for told in ("Traceback", "different loop", "ScopeMismatch", "site-packages"):
        assert told not in done.stdout.partition("ERRORS")[2], done.stdout


FORGOTTEN = """
import asyncio, functools

def in_a_loop(test):
    @functools.wraps(test)
    def run(**arguments):
        asyncio.run(test(**arguments))
    return run

def test_forgets({fixture}):
    {fixture}.get("/").json()

async def test_is_async({fixture}):
    pass

@in_a_loop
async def test_brings_a_loop({fixture}):
    pass

def test_takes_what_a_fixture_makes_of_it(made):
    assert made
"""
MADE = """
@pytest.fixture
async def made({fixture}):
    return True
"""


@pytest.mark.parametrize(
    ("fixture", "method"), [("create_test_client", "get"), ("db_connection", "execute")]
)
def test_a_test_that_forgets_to_be_async_is_told(
    run_project: RunProject, fixture: str, method: str
) -> None:
    ini = f"mysql_driver = aiomysql\n{AUTO.replace('module', 'function')}mysql_database = test\n"
    conftest = FACTORY + MADE.format(fixture=fixture)
    done = run_project(ini=ini, conftest=conftest, test_it=FORGOTTEN.format(fixture=fixture))
    line = (
        f"\ntest_forgets is not async, and {fixture}.{method}() has to be awaited: make it `async"
    )
    assert line in done.stdout, done.stdout
    assert "1 failed, 3 passed" in done.stdout
    assert "never awaited" not in done.stdout


ENGINES = """
import asyncio

def test_forgets(db_engine):
    with db_engine.connect():
        pass

def test_fails_otherwise(db_engine):
    raise TypeError("a bug")

def test_brings_a_loop(db_engine):
    async def connect():
        async with db_engine.connect():
            pass
    asyncio.run(connect())
"""


def test_an_engine_that_is_async_is_told_of_where_a_test_fails_by_it(
    run_project: RunProject,
) -> None:
    done = run_project(ini="mysql_driver = aiomysql\n", test_it=ENGINES)
    told = "\nE       db_engine is an AsyncEngine: make the test `async def`"
    assert done.stdout.count(told) == 1, done.stdout
    assert "2 failed, 1 passed" in done.stdout
