"""The pytest plugin: its options and hooks. pytest finds the fixtures by `pytest_plugins`.

pytest loads this in every run, so what only runs with databases need is imported on first use.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from throwaway_mysql.errors import ServerError
from throwaway_mysql.state import OUTPUT, SCOPES, State

pytest_plugins = ["throwaway_mysql.fixtures"]

INI: tuple[tuple[str, Any, Any, str], ...] = (
    ("mysql_database", None, "module", "the scope of a database: test, module or session"),
    ("mysql_isolation", None, "none", "what is done after a test: none, or delete (restore rows)"),
    ("mysql_prefix", None, "throwaway_test_", "the prefix of databases' names"),
    ("mysql_env", "args", [], "variables that get the database's URL (NAME, NAME=DRIVER) or one of"
     " its settings (NAME=DB_HOST) before anything of the project is imported"),
    ("mysql_tcp", "bool", False, "whether a private server listens on a port too"),
    ("mysqld_flags", "args", [], "more options for a private server"),
)  # fmt: skip
CHOICES = {"mysql_database": tuple(SCOPES), "mysql_isolation": ("none", "delete")}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    for name, kind, default, text in INI:
        parser.addini(name, type=kind, default=default, help=text)
    keep = "keep databases, or those of failed tests (before a path: --db-keep=all)"
    parser.addoption("--db-keep", nargs="?", choices=("all", "failed"), const="all", help=keep)
    private = "run the tests on a private server of this program, even if a configured one answers"
    parser.addoption("--mysqld", default="", metavar="PROGRAM", help=private)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Set the variables of `mysql_env` before any conftest.py can import code that reads them."""
    if early_config.getini("mysql_env"):
        from throwaway_mysql.server_choice import prepare

        prepare(early_config)


def pytest_configure(config: pytest.Config) -> None:
    """Check the options, and keep a module's tests in one process, as they share a database."""
    for name, allowed in CHOICES.items():
        if (chosen := config.getini(name)) not in allowed:
            raise pytest.UsageError(f"{name} is '{chosen}': it must be one of {', '.join(allowed)}")
    # Before pytest-xdist makes its scheduler; its workers have "no".
    by_module = config.getini("mysql_database") == "module"
    if by_module and config.getoption("dist", "no") == "load":
        config.option.dist = "loadfile"


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Make a worker of pytest-xdist a part of this run."""
    state = State.of(node.config)
    node.workerinput[OUTPUT] = {"owner": tuple(state.owner)}
    with suppress(ServerError):  # a worker that needs a server reports the error
        node.workerinput[OUTPUT]["folder"] = str(state.folder())


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over a worker's results."""
    State.of(node.config).take(node)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Iterator[None]:
    """Show a ServerError as one line, without a traceback."""
    __tracebackhide__ = True
    with _one_line():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Drop or keep databases once the fixtures that use them are torn down, and put rows back.

    Only then is it known whether one of those failed, so that its database has to be kept.
    """
    __tracebackhide__ = True
    try:
        with _one_line():
            result = yield
    except (Exception, pytest.fail.Exception):
        State.of(item.config).lines += _settle(item.session, failing=1)
        raise
    if problems := _settle(item.session):
        _fail("\n".join(problems))
    return result


def _settle(session: pytest.Session, failing: int = 0) -> list[str]:
    """Settle databases; return errors. pytest has not counted `failing` failures yet."""
    state = State.of(session.config)
    restore = not (session.shouldfail or session.shouldstop)  # leave the rows for inspection
    problems = list(state.settle(session.testsfailed + failing, restore=restore))
    if state.environment and state.has_kept:
        session.shouldstop = "a database is kept, and with mysql_env the next has its name"
    return problems


def _fail(line: str) -> None:
    # No __tracebackhide__ here: if every frame were hidden, pytest would say so.
    raise pytest.fail.Exception(line, pytrace=False) from None


@contextmanager
def _one_line() -> Iterator[None]:
    __tracebackhide__ = True
    try:
        yield
    except ServerError as error:
        _fail(str(error))


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """Clean up once pytest has torn down all fixtures."""
    try:
        return (yield)
    finally:
        State.of(session.config).finish(session)


def pytest_terminal_summary(
    terminalreporter: Any,  # pytest names its type since 8.4
    config: pytest.Config,
) -> None:
    """Show what all the run's processes report about databases."""
    if lines := dict.fromkeys(State.of(config).lines):
        terminalreporter.section("throwaway databases")
        for line in lines:
            terminalreporter.write_line(line)
