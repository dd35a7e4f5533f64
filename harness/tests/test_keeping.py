"""Databases of tests that fail in tear-down, which are kept as well: real runs of pytest."""

import re
import subprocess
from collections.abc import Callable

import pytest

from throwaway_mysql.login import Login
from throwaway_mysql.testing.looking import databases
from throwaway_mysql.testing.nested import MODULE_LOOPS

RunProject = Callable[..., "subprocess.CompletedProcess[str]"]

WELL = """
def test_it(create_db):
    pass
"""
# Its last test, which names its database, fails in tear-down.
NAMES = """
import pytest

@pytest.fixture
def named(create_db):
    print("named", create_db["DATABASE_NAME"], flush=True)

@pytest.fixture
def adds_later(request, create_db):
    return request.addfinalizer

def fail():
    raise LookupError("of its own")

def test_it(create_db):
    pass
"""
YIELDS = """
@pytest.fixture
def broken(create_db):
    yield
    fail()

def test_another(named, broken):
    pass
"""
ADDS = """
def test_another(named, adds_later):
    adds_later(fail)
"""
COMMITS = """
def test_another(named, db_connection):
    db_connection.commit()
"""
AN_APP = """
@pytest.fixture(scope="session")
def mysql_app_factory():
    async def app(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        raise LookupError("of its own")
    return lambda database: app

async def test_another(named, create_test_app):
    pass
"""


def kept(login: Login, prefix: str) -> list[str]:
    """Return the databases that are there after a run; the fixture drops them."""
    return [name for name in databases(login) if name.startswith(prefix)]


@pytest.mark.parametrize("scope", ["test", "module", "session"])
@pytest.mark.parametrize(
    "fails", [YIELDS, ADDS, COMMITS, AN_APP], ids=["yields", "adds", "commits", "app"]
)
def test_it_is_kept(
    run_project: RunProject, mysql_root: Login, prefix: str, scope: str, fails: str
) -> None:
    loop = "function" if scope == "test" else scope
    ini = f"mysql_database = {scope}\nasyncio_mode = auto\n"
    ini += MODULE_LOOPS.replace("= module", f"= {loop}")
    done = run_project(
        "-p", "no:randomly", "--db-keep=failed", ini=ini, test_a=WELL, test_b=NAMES + fails
    )
    assert "3 passed, 1 error" in done.stdout, done.stdout
    assert re.findall(r"named (\S+)", done.stdout) == kept(mysql_root, prefix)
    assert "keeping.py" not in done.stdout


def test_it_is_kept_by_a_worker_of_xdist(
    run_project: RunProject, mysql_root: Login, prefix: str
) -> None:
    said = run_project("-n2", "--db-keep=failed", test_a=WELL, test_b=NAMES + YIELDS).stdout
    assert "3 passed, 1 error" in said, said
    [name] = kept(mysql_root, prefix)
    assert f"/{name}" in said


def test_it_is_dropped_after_ctrl_c(
    run_project: RunProject, mysql_root: Login, prefix: str
) -> None:
    interrupted = NAMES.replace('LookupError("of its own")', "KeyboardInterrupt") + YIELDS
    done = run_project("-p", "no:randomly", "--db-keep=failed", test_it=interrupted)
    assert done.returncode == pytest.ExitCode.INTERRUPTED
    assert "Destroying db" in done.stdout
    assert kept(mysql_root, prefix) == []
