"""An app of any kind on its database, in the event loop of its tests: real runs of pytest."""

import subprocess
from collections.abc import Callable

import pytest

from throwaway_mysql.login import Login
from throwaway_mysql.testing.looking import databases
from throwaway_mysql.testing.nested import ASYNCIO_ONLY, AUTO, MARKED, MODULE_LOOPS, NO_ASYNCIO

RunProject = Callable[..., "subprocess.CompletedProcess[str]"]

FACTORY = """
from contextlib import asynccontextmanager
import asyncio

@pytest.fixture(scope="session")
def mysql_app_factory():
    return create_app
"""
# Each answers with the database's name, from what its start made in the loop.
QUART = """
from quart import Quart

def create_app(coordinates):
    app = Quart("app")

    @app.while_serving
    async def serving():
        app.loop = asyncio.get_running_loop()
        yield
        print("ended in its loop:", app.loop is asyncio.get_running_loop())

    @app.get("/")
    async def show():
        assert app.loop is asyncio.get_running_loop()
        return coordinates["DATABASE_NAME"]

    return app
"""
FASTAPI = """
from fastapi import FastAPI, Request

def create_app(coordinates):
    @asynccontextmanager
    async def lifespan(app):
        loop = asyncio.get_running_loop()
        yield {"loop": loop}
        print("ended in its loop:", loop is asyncio.get_running_loop())

    app = FastAPI(lifespan=lifespan)

    @app.get("/")
    async def show(request: Request):
        assert request.state.loop is asyncio.get_running_loop()
        return coordinates["DATABASE_NAME"]

    return app
"""
FLASK = """
from flask import Flask

def create_app(coordinates):
    app = Flask("app")
    app.add_url_rule("/", view_func=lambda: coordinates["DATABASE_NAME"])
    return app
"""
FAILS = """
from fastapi import FastAPI

def create_app(coordinates):
    @asynccontextmanager
    async def lifespan(app):
        raise LookupError("no cache")
        yield

    return FastAPI(lifespan=lifespan)
"""
ASYNC_TESTS = """
import pytest

@pytest.mark.parametrize("number", range(2))
async def test_it(create_test_client, create_test_app, create_db, number):
    response = await create_test_client.get("/")
    said = response.text if hasattr(response, "text") else await response.get_data(as_text=True)
    assert said.strip('"') == create_db["DATABASE_NAME"]
    print("tested")
"""
ONE_TEST = """
async def test_it(create_test_client):
    pass
"""
SYNC_TESTS = """
import pytest

@pytest.mark.parametrize("number", range(2))
def test_it(create_test_client, create_db, number):
    assert create_test_client.get("/").text == create_db["DATABASE_NAME"]
    print("tested")
"""
SYNC_CLIENT = """
@pytest.fixture(scope="module")
def create_test_client(mysql_app_factory, create_db):
    from fastapi.testclient import TestClient

    with TestClient(mysql_app_factory(create_db)) as client:
        yield client
"""
WITH_APP = """
def test_that_it_starts(create_test_app):
    pass
"""
ORDER = ["Creating db", "Starting app", "Creating test client", "tested", "tested"]
ENDING = ["Closing down app", "ended in its loop: True", "Destroying db"]


def events(done: "subprocess.CompletedProcess[str]") -> list[str]:
    """Return what `-s` shows of the order of events."""
    known = {*ORDER, *ENDING}  # on lines with pytest's own dots and names of files
    return [event for line in done.stdout.splitlines() for event in known if event in line]


@pytest.mark.parametrize("app", [QUART, FASTAPI], ids=["quart", "fastapi"])
@pytest.mark.parametrize(
    ("options", "ini", "mark"),
    [
        ((), AUTO, ""),
        ((), MODULE_LOOPS, MARKED.format("asyncio")),
        ((), "asyncio_mode = strict\n", MARKED.format("asyncio(loop_scope='module')")),
        ((), "", MARKED.format("anyio")),
        (
            ("-p", "no:randomly"),
            "",
            MARKED.format("anyio") + ASYNCIO_ONLY.format("module") + WITH_APP,
        ),
        (("--anyio-mode=auto", *NO_ASYNCIO), "", ""),
    ],
    ids=["auto", "strict", "marked", "both plugins", "after a sync test", "anyio"],
)
def test_an_app_lives_in_the_loop_of_its_tests(
    run_project: RunProject, app: str, options: tuple[str, ...], ini: str, mark: str
) -> None:
    done = run_project(*options, ini=ini, conftest=FACTORY + app, test_it=mark + ASYNC_TESTS)
    assert done.returncode == 0, done.stdout
    assert events(done) == [*ORDER, *ENDING]


@pytest.mark.parametrize("scope", ["test", "session"])
@pytest.mark.parametrize("plugin", ["asyncio", "anyio"])
def test_an_app_lives_as_long_as_its_database(
    run_project: RunProject, scope: str, plugin: str
) -> None:
    loop = {"test": "function", "session": "session"}[scope]
    ini = f"mysql_database = {scope}\n"
    conftest, options = FACTORY + FASTAPI, ["--anyio-mode=auto", *NO_ASYNCIO]
    if plugin == "asyncio":
        ini += AUTO.replace("module", loop)
        options = []
    else:
        conftest += ASYNCIO_ONLY.format(loop)
    modules = {"test_one": ASYNC_TESTS, "test_two": ASYNC_TESTS}
    done = run_project(*options, ini=ini, conftest=conftest, **modules)
    assert "4 passed" in done.stdout, done.stdout
    assert events(done).count("Starting app") == {"test": 4, "session": 1}[scope]


def test_flask_needs_no_loop(run_project: RunProject) -> None:
    options = (*NO_ASYNCIO, "-p", "no:anyio")
    done = run_project(*options, conftest=FACTORY + FLASK, test_it=SYNC_TESTS)
    assert "2 passed" in done.stdout, done.stdout


def test_an_app_of_wsgi_without_a_client_of_its_own_gets_one(run_project: RunProject) -> None:
    conftest = FACTORY + FLASK.replace("return app", "return app.wsgi_app")
    done = run_project(*NO_ASYNCIO, "-p", "no:anyio", conftest=conftest, test_it=SYNC_TESTS)
    assert "2 passed" in done.stdout, done.stdout


def test_a_client_that_starts_the_app_itself_needs_no_loop(run_project: RunProject) -> None:
    tests = SYNC_TESTS.replace(".text", ".json()")
    conftest = FACTORY + FASTAPI + SYNC_CLIENT
    done = run_project(*NO_ASYNCIO, "-p", "no:anyio", conftest=conftest, test_it=tests)
    assert "2 passed" in done.stdout, done.stdout


def test_an_app_that_fails_to_start_leaves_no_database(
    run_project: RunProject, mysql_root: Login, prefix: str
) -> None:
    done = run_project(ini=AUTO, conftest=FACTORY + FAILS, test_it=ASYNC_TESTS)
    assert "2 errors" in done.stdout, done.stdout
    assert "LookupError: no cache" in done.stdout
    assert "Creating db" in done.stdout
    assert [name for name in databases(mysql_root) if name.startswith(prefix)] == []


def test_without_a_factory_it_says_what_to_define(run_project: RunProject) -> None:
    done = run_project(test_it=WITH_APP)
    line = "define a fixture mysql_app_factory that returns what makes the app"
    assert line in done.stdout
    assert "Traceback" not in done.stdout


def test_without_httpx_it_says_so(run_project: RunProject) -> None:
    done = run_project(ini=AUTO, lacking=("httpx",), conftest=FACTORY + FASTAPI, test_it=ONE_TEST)
    line = "create_test_client needs httpx for this app: pip install httpx"
    assert line in done.stdout
    assert "During handling" not in done.stdout
    assert "Traceback" not in done.stdout
