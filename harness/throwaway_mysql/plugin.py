"""The pytest plugin, which pytest finds by itself where the package is installed.

A project says which server it is configured for by overriding the fixtures
`mysql_configured`, `mysql_wait`, `mysqld` and `mysql_tcp`; the databases' fixtures are those of
`fixtures` and `app_fixtures`. Like those it imports in a fixture what only a run with
databases needs.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from throwaway_mysql import ServerError
from throwaway_mysql.fixtures import (
    INPUT,
    SCOPES,
    create_db,
    database_scope,
    empty_database,
    mysql_cache,
    mysql_prefix,
    mysql_run,
    mysql_schema,
    mysql_spared,
    run_token,
)
from throwaway_mysql.isolation import WAYS, Isolation, isolation
from throwaway_mysql.report import Report
from throwaway_mysql.timing import Recorder, journal_of

if TYPE_CHECKING:
    from throwaway_mysql.login import Login
    from throwaway_mysql.shared import Home

HOME: pytest.StashKey[Home] = pytest.StashKey()
FOLDER = "throwaway_mysql_folder"  # what workers of pytest-xdist are told: where the server is

pytest_plugins = ["throwaway_mysql.app_fixtures"]  # earlier than a project's, which overrides
__all__ = [
    "create_db",
    "empty_database",
    "mysql_cache",
    "mysql_prefix",
    "mysql_run",
    "mysql_schema",
    "mysql_spared",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    parser.addini(
        "mysql_database",
        default="module",
        help=f"what a throwaway database is made for: each {', each '.join(SCOPES)}",
    )
    parser.addini(
        "mysql_isolation",
        default="none",
        help=f"what is done between the tests of a database: {' or '.join(WAYS)} (rows go back)",
    )
    parser.addoption(
        "--db-keep",
        nargs="?",
        choices=["all", "failed"],
        const="all",
        help="keep throwaway databases, or those of failed tests, and tell how to look into them",
    )
    parser.addoption(
        "--db-report",
        action="store_true",
        help="tell how long servers and throwaway databases took, step by step",
    )
    parser.addoption(
        "--mysqld",
        default="",
        metavar="PROGRAM",
        help="run the tests on a private server of this program, whatever server answers",
    )
    parser.addoption(
        "--record-revisions",
        action="store_true",
        help="record the migrations' revisions as released: a later change in one fails a test",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Check what is set, and let the report tell of databases."""
    database_scope("create_db", config)  # here, an error is one line
    isolation(config)  # too
    config.pluginmanager.register(Isolation())
    config.pluginmanager.register(Report())
    config.pluginmanager.register(Recorder(config))
    # Now, so that it is done after pytest's own cleanups, which are added later.
    config.add_cleanup(lambda: close_home(config))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Make a worker of pytest-xdist a part of this run."""
    node.workerinput[INPUT] = run_token(node.config)
    node.workerinput[FOLDER] = str(run_folder(node.config))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep a module's tests in one process: they share a module-scoped database."""
    from throwaway_mysql.scheduler import ModuleScheduling

    by_module = config.getoption("dist") in ("load", "loadfile")
    return ModuleScheduling(config, log) if by_module else None


def pytest_unconfigure(config: pytest.Config) -> None:
    """Let the run's server end, which takes as long as pytest's own cleanups."""
    if home := config.stash.get(HOME, None):
        home.release()


def close_home(config: pytest.Config) -> None:
    """Wait until nothing is left of the run's server."""
    if home := config.stash.get(HOME, None):
        home.close()


@pytest.fixture(scope="session")
def mysql_configured() -> Sequence[Login]:
    """Return the accounts to try at the configured server, the best first; none by default."""
    return []


@pytest.fixture(scope="session")
def mysql_wait() -> float:
    """How many seconds a configured server on another machine may take to answer."""
    return 30


@pytest.fixture(scope="session")
def mysqld() -> str:
    """Name the program of private servers; by default the first that this machine has."""
    return ""


@pytest.fixture(scope="session")
def mysql_tcp() -> bool:
    """Whether a private server is to listen on a port too, not on a unix socket only."""
    return False


@pytest.fixture(scope="session")
def mysql_program(request: pytest.FixtureRequest, mysqld: str) -> str:
    """Return the path of a server program for tests that start one; skip where there is none."""
    from throwaway_mysql.program import find_program

    try:
        return str(find_program(request.config.getoption("--mysqld") or mysqld).path)
    except ServerError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def mysql_login(
    request: pytest.FixtureRequest,
    mysql_configured: Sequence[Login],
    mysql_wait: float,
    mysqld: str,
    mysql_tcp: bool,  # noqa: FBT001 (a fixture)
) -> Login:
    """Return an account that may create databases.

    On the configured server if it answers, else on a private one that lives for the run.
    """
    from throwaway_mysql.shared import SharedLogin, shared_login

    program = request.config.getoption("--mysqld")
    began = time.perf_counter()
    login = None if program else configured_login(mysql_configured, mysql_wait)
    if not login:
        login = shared_login(run_folder(request.config), program or mysqld, tcp=mysql_tcp)
    how = login.how if isinstance(login, SharedLogin) else f"{login.address} answered"
    journal_of(request.config).add(f"server: {how}", time.perf_counter() - began)
    return login


def run_folder(config: pytest.Config) -> Path:
    """Return the folder of the run's server; only a run that needs one has one."""
    from throwaway_mysql.shared import Home

    handed_on = getattr(config, "workerinput", {}).get(FOLDER, "")
    if handed_on and Path(handed_on).is_dir():  # else the worker is on another machine
        return Path(handed_on)
    if HOME not in config.stash:
        config.stash[HOME] = Home()
    return config.stash[HOME].folder


def configured_login(logins: Sequence[Login], wait: float) -> Login | None:
    """Return the first of `logins` that its server takes, or None where none answers.

    A server on another machine is one that someone named: it gets `wait` seconds. Raises
    ServerError where it stays away, or where a server refuses every account.
    """
    from throwaway_mysql.login import LOOPBACK, Answer

    deadline = time.monotonic() + wait
    while True:
        answers = [login.answer() for login in logins]
        for login, answer in zip(logins, answers, strict=True):
            if answer is Answer.SERVICE:
                return login
        gone = all(answer is Answer.NOTHING for answer in answers)
        if gone and all(login.host in LOOPBACK for login in logins):
            return None
        if not gone or time.monotonic() > deadline:
            logins[-1].connect().close()  # raises, with the reason, unless it was only slow
            return logins[-1]
        time.sleep(0.2)
