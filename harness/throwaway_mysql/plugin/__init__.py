"""The pytest plugin, which pytest finds by itself where the package is installed: its options.

Its modules, each built on those that are named before it:

    comparing         what the report of a failed comparison shows of secrets
    report            what a run says at its end
    timing            how long each step took
    isolation         what keeps tests apart that share a database
    scheduler         which worker of pytest-xdist runs which module; needs pytest-xdist
    keeping           which databases stay after their tests
    given             what a project's own fixtures give, checked
    server_fixtures   the server of tests, as fixtures
    fixtures          the databases of tests, as fixtures
    engines           SQLAlchemy's engines on a database
    lifespan          an app between its start and its end
    loops             the event loops of tests
    app_fixtures      engines, the app and its client, as fixtures
    asyncio_fixtures  those of them in pytest-asyncio's loops; needs that
"""

from __future__ import annotations

from argparse import ArgumentTypeError
from contextlib import suppress
from typing import Any

import pytest

from throwaway_mysql import ServerError
from throwaway_mysql.plugin import comparing
from throwaway_mysql.plugin.fixtures import (
    RUN_INPUT,
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
from throwaway_mysql.plugin.isolation import WAYS, Isolation, isolation
from throwaway_mysql.plugin.keeping import TearDown
from throwaway_mysql.plugin.report import Report
from throwaway_mysql.plugin.server_fixtures import (
    FOLDER_INPUT,
    HOME,
    mysql_configured,
    mysql_program,
    mysql_server,
    mysql_tcp,
    mysql_wait,
    mysqld,
    run_folder,
)
from throwaway_mysql.plugin.timing import Recorder

pytest_plugins = [
    "throwaway_mysql.plugin.app_fixtures"
]  # earlier than a project's, which overrides
__all__ = [  # what pytest is to find here
    "create_db",
    "empty_database",
    "mysql_cache",
    "mysql_configured",
    "mysql_prefix",
    "mysql_program",
    "mysql_run",
    "mysql_schema",
    "mysql_server",
    "mysql_spared",
    "mysql_tcp",
    "mysql_wait",
    "mysqld",
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
    parser.addini(
        "mysql_prefix",
        default="throwaway_test_",
        help="how the names of throwaway databases begin, unless a fixture of that name says it",
    )
    parser.addoption(
        "--db-keep",
        nargs="?",
        type=_kept,
        const="all",
        metavar="{all,failed}",
        help="keep throwaway databases (all), or those of failed tests (failed), and tell how to "
        "look into them",
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


def _kept(chosen: str) -> str:
    """Return a value of --db-keep, which is a path where one follows it without a `=`."""
    if chosen not in ("all", "failed"):
        raise ArgumentTypeError(
            f"it takes all or failed, not '{chosen}': before a path write --db-keep=all"
        )
    return chosen


def pytest_configure(config: pytest.Config) -> None:
    """Check what is set, and let the report tell of databases."""
    database_scope("create_db", config)  # here, an error is one line
    isolation(config)  # too
    config.pluginmanager.register(comparing)
    if config.getoption("--db-keep") == "failed":
        config.pluginmanager.register(TearDown())
    config.pluginmanager.register(Isolation())
    config.pluginmanager.register(Report())
    config.pluginmanager.register(Recorder(config))
    # Now, so that it is done after pytest's own cleanups, which are added later.
    config.add_cleanup(lambda: close_home(config))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Make a worker of pytest-xdist a part of this run."""
    node.workerinput[RUN_INPUT] = run_token(node.config)
    with suppress(ServerError):  # a worker that wants a server says why there is none
        node.workerinput[FOLDER_INPUT] = str(run_folder(node.config))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep a module's tests in one process: they share a module-scoped database."""
    from throwaway_mysql.plugin.scheduler import ModuleScheduling

    dist, serves = config.getoption("dist"), config.getini("mysql_database")
    by_module = dist == "loadfile" or (dist == "load" and serves == "module")
    return ModuleScheduling(config, log) if by_module else None


def pytest_unconfigure(config: pytest.Config) -> None:
    """Let the run's server end, which takes as long as pytest's own cleanups."""
    if home := config.stash.get(HOME, None):
        home.release()


def close_home(config: pytest.Config) -> None:
    """Wait until nothing is left of the run's server."""
    if home := config.stash.get(HOME, None):
        home.close()
