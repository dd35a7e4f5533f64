"""The pytest plugin: options, hooks and fixtures.

pytest loads this in every run, so what only runs with databases need is imported on first use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Literal

import pytest

from throwaway_mysql.errors import ServerError, wrong
from throwaway_mysql.state import DROPPED, OUTPUT, State, Use

if TYPE_CHECKING:
    from throwaway_mysql.clone import Template
    from throwaway_mysql.databases import Database, Databases
    from throwaway_mysql.login import Login
    from throwaway_mysql.schema import Schema

Scope = Literal["function", "module", "session"]
INI: tuple[tuple[str, Any, Any, str], ...] = (
    ("mysql_database", None, "module", "the scope of a database: test, module or session"),
    ("mysql_isolation", None, "none", "what is done after a test: none, or delete (restore rows)"),
    ("mysql_prefix", None, "throwaway_test_", "the prefix of databases' names"),
    ("mysql_env", "args", [], "variables that get the database's URL (NAME, NAME=DRIVER) or one of"
     " its settings (NAME=DB_HOST) before anything of the project is imported"),
    ("mysql_tcp", "bool", False, "whether a private server listens on a port too"),
    ("mysqld_flags", "args", [], "more options for a private server"),
)  # fmt: skip
SCOPES: dict[str, Scope] = {"test": "function", "module": "module", "session": "session"}
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


def database_scope(fixture_name: str, config: pytest.Config) -> Scope:  # noqa: ARG001 (pytest names both)
    """Return the scope of a database: the ini option `mysql_database`."""
    return SCOPES[config.getini("mysql_database")]


@pytest.fixture(scope="session")
def mysql_configured() -> Sequence[Login]:
    """Return the accounts to try on the configured server, best first.

    By default it is the account in the environment variable THROWAWAY_MYSQL_URL, if set.
    """
    from throwaway_mysql.server_choice import configured

    return configured()


@pytest.fixture(scope="session")
def mysql_program(pytestconfig: pytest.Config) -> str:
    """Return the path of a server program, for tests that start one; skip if there is none."""
    from throwaway_mysql.program import find_program

    try:
        return str(find_program(pytestconfig.getoption("--mysqld")).path)
    except ServerError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def mysql_server(pytestconfig: pytest.Config, mysql_configured: Sequence[Login] | Login) -> Login:
    """Return an account that may create databases.

    It is on the configured server if that answers, else on the run's private server.
    """
    from throwaway_mysql.server_choice import choose

    return choose(State.of(pytestconfig), mysql_configured)


@pytest.fixture(scope="session")
def mysql_prefix(pytestconfig: pytest.Config) -> str:
    """Return the prefix of throwaway databases' names: the ini option `mysql_prefix`."""
    return str(pytestconfig.getini("mysql_prefix"))


@pytest.fixture(scope="session")
def mysql_schema() -> Schema | None:
    """Return what makes a database's schema, such as an AlembicSchema, or None."""
    return None


@pytest.fixture(scope="session")
def mysql_run(pytestconfig: pytest.Config, mysql_server: Login, mysql_prefix: str) -> Databases:
    """Return this process's databases; drop what killed runs left."""
    from throwaway_mysql.databases import Databases
    from throwaway_mysql.folder import sweep_folders
    from throwaway_mysql.run import RunLogin
    from throwaway_mysql.server_choice import check

    state, prefix = State.of(pytestconfig), str(mysql_prefix)  # None is refused as a prefix
    check(state, mysql_server, prefix)
    sweep_folders()
    databases = Databases(mysql_server, prefix)
    if not isinstance(mysql_server, RunLogin):
        state.lines += map(DROPPED.format, databases.sweep())
    state.servers[mysql_server, prefix] = databases
    return databases


def template_scope(fixture_name: str, config: pytest.Config) -> Scope:  # noqa: ARG001 (pytest names both)
    """Return the scope of a template: by module, as folders of tests may override the schema.

    Never one test, so that it is made before a test's own fixtures change what it depends on.
    """
    return "session" if database_scope("create_db", config) == "session" else "module"


@pytest.fixture(scope=template_scope)
def _mysql_template(
    request: pytest.FixtureRequest, mysql_run: Databases, mysql_schema: Schema | None
) -> Template | None:
    from throwaway_mysql.clone import Template
    from throwaway_mysql.schema import CallableSchema

    if mysql_schema is None and request.config.getini("mysql_isolation") == "none":
        return None
    schema = mysql_schema or CallableSchema(nothing)
    if isinstance(schema, type) or not hasattr(schema, "make"):
        raise wrong("mysql_schema", "an AlembicSchema, SqlSchema, CallableSchema or None", schema)
    try:
        return Template.make(mysql_run, schema, State.of(request.config).owner)
    except Exception:
        if request.config.getoption("--db-keep"):
            with _database(request, mysql_run) as use:  # one to inspect
                schema.make(mysql_run.login, use.database.name)
        raise


@pytest.fixture(scope=database_scope)
def create_db(
    request: pytest.FixtureRequest, mysql_run: Databases, _mysql_template: Template | None
) -> Iterator[Database]:
    """Make a database with the project's schema; yield its settings."""
    from throwaway_mysql.restore import Rows

    number = None if State.of(request.config).environment is None else 0
    with _database(request, mysql_run, _mysql_template, number) as use:
        isolation = request.config.getini("mysql_isolation")
        if _mysql_template and isolation == "delete" and request.scope != "function":
            use.rows = Rows(_mysql_template, use.database)
        yield use.database


@pytest.fixture
def empty_database(request: pytest.FixtureRequest, mysql_run: Databases) -> Iterator[Database]:
    """Make a database without tables for one test."""
    with _database(request, mysql_run) as use:
        yield use.database


@pytest.fixture
def database_factory(
    request: pytest.FixtureRequest, mysql_run: Databases, _mysql_template: Template | None
) -> Iterator[Callable[[], Database]]:
    """Return a function that makes one more database with the schema, for this test."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        yield lambda: stack.enter_context(_database(request, mysql_run, _mysql_template)).database


@contextmanager
def _database(
    request: pytest.FixtureRequest,
    databases: Databases,
    template: Template | None = None,
    number: int | None = None,
) -> Iterator[Use]:
    """Make a database, which is dropped or kept at the end of the teardown after the block."""
    state, failures = State.of(request.config), request.session.testsfailed
    print("Creating db")
    purpose = request.node.nodeid or "the session"
    database = databases.create(purpose, number)
    use = Use(databases, database, purpose, failures)
    state.uses.append(use)
    try:
        if template:
            print("Migrating db")
            template.copy(database)
        yield use
    finally:
        use.over = True


def nothing(login: Login, database: str) -> None:
    """Leave a database empty."""
