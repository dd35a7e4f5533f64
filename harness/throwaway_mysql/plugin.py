"""The pytest plugin: options, hooks and fixtures.

pytest loads this in every run; what only a run with databases needs is imported where it is used.
"""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Literal

import pytest

from throwaway_mysql.errors import ServerError
from throwaway_mysql.state import DROPPED, OUTPUT, State, Use

if TYPE_CHECKING:
    from throwaway_mysql.clone import Template
    from throwaway_mysql.databases import Database, Databases
    from throwaway_mysql.login import Login
    from throwaway_mysql.schema import Schema

Scope = Literal["function", "module", "session"]
INI: tuple[tuple[str, Any, Any, str], ...] = (
    ("mysql_database", None, "module", "what a database serves: each test, module or session"),
    ("mysql_isolation", None, "none", "what is done after a test: none or delete (rows go back)"),
    ("mysql_prefix", None, "throwaway_test_", "how the names of databases begin"),
    ("mysql_env", "args", [], "variables that get the database's URL (NAME, NAME=DRIVER) or one of"
     " its settings (NAME=DB_HOST) before anything of the project is imported"),
    ("mysql_tcp", "bool", False, "whether a private server listens on a port too"),
    ("mysqld_flags", "args", [], "more options for a private server"),
)  # fmt: skip
SCOPES: dict[str, Scope] = {"test": "function", "module": "module", "session": "session"}
ISOLATION = ("none", "delete")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    for name, kind, default, text in INI:
        parser.addini(name, type=kind, default=default, help=text)
    keep = "keep databases (all), or those of failed tests (failed), and tell how to look into them"
    parser.addoption(
        "--db-keep", nargs="?", type=_keep, const="all", metavar="{all,failed}", help=keep
    )
    private = "run the tests on a private server of this program, whatever server answers"
    parser.addoption("--mysqld", default="", metavar="PROGRAM", help=private)


def _keep(chosen: str) -> str:
    """Return a value of --db-keep, which is a path where one follows it without a `=`."""
    if chosen not in ("all", "failed"):
        raise ArgumentTypeError(
            f"it takes all or failed, not '{chosen}': before a path write --db-keep=all"
        )
    return chosen


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Set the variables of `mysql_env`, before a conftest.py can import what reads them."""
    if early_config.getini("mysql_env"):
        from throwaway_mysql.server_choice import prepare

        prepare(early_config)


def pytest_configure(config: pytest.Config) -> None:
    """Check what is set."""
    database_scope("create_db", config)
    if (chosen := config.getini("mysql_isolation")) not in ISOLATION:
        raise pytest.UsageError(
            f"mysql_isolation is '{chosen}': it must be one of {', '.join(ISOLATION)}"
        )
    if error := State.of(config).error:
        raise pytest.UsageError(error)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Make a worker of pytest-xdist a part of this run."""
    state = State.of(node.config)
    node.workerinput[OUTPUT] = {"owner": tuple(state.owner)}
    with suppress(ServerError):  # a worker that wants a server says why there is none
        node.workerinput[OUTPUT]["folder"] = str(state.folder())


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take what a worker hands over."""
    State.of(node.config).take(node)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep a module's tests in one process: they share a database."""
    from throwaway_mysql.scheduler import ModuleScheduling

    dist, serves = config.getoption("dist"), config.getini("mysql_database")
    by_module = dist == "loadfile" or (dist == "load" and serves == "module")
    return ModuleScheduling(config, log) if by_module else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Iterator[None]:
    """Show what is wrong with a server as the one line that it is."""
    __tracebackhide__ = True
    with _one_line():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """End databases once the fixtures that were built on them are gone, and put rows back.

    Only here it is known whether one of these failed, and its database is to be kept.
    """
    __tracebackhide__ = True
    state, session = State.of(item.config), item.session
    restore = not (session.shouldfail or session.shouldstop)  # rows can be looked at
    try:
        with _one_line():
            result = yield
    except (Exception, pytest.fail.Exception):
        state.lines += state.settle(session.testsfailed + 1, restore=restore)
        raise
    if problems := list(state.settle(session.testsfailed, restore=restore)):
        _fail("\n".join(problems))
    return result


def _fail(line: str) -> None:
    # Not hidden, or pytest would say that all was: it shows the line alone.
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
    """End what is left, once pytest has torn down all fixtures."""
    try:
        return (yield)
    finally:
        State.of(session.config).finish(session)


def pytest_terminal_summary(
    terminalreporter: Any,  # pytest names its type since 8.4
    config: pytest.Config,
) -> None:
    """Show what the run has to say of its databases, whichever of its processes met it."""
    if lines := dict.fromkeys(State.of(config).lines):
        terminalreporter.section("throwaway databases")
        for line in lines:
            terminalreporter.write_line(line)


def database_scope(fixture_name: str, config: pytest.Config) -> Scope:  # noqa: ARG001 (pytest names both)
    """Return how long a database serves: the ini option `mysql_database`."""
    chosen = config.getini("mysql_database")
    if chosen not in SCOPES:
        raise pytest.UsageError(
            f"mysql_database is '{chosen}': it must be one of {', '.join(SCOPES)}"
        )
    return SCOPES[chosen]


@pytest.fixture(scope="session")
def mysql_configured() -> Sequence[Login]:
    """Return the accounts to try at the configured server, the best first.

    By default that of the environment variable THROWAWAY_MYSQL_URL, if it is set.
    """
    from throwaway_mysql.server_choice import configured

    return configured()


@pytest.fixture(scope="session")
def mysql_wait() -> float:
    """How many seconds a configured server on another machine may take to answer."""
    return 30


@pytest.fixture(scope="session")
def mysqld() -> str:
    """Name the program of private servers; by default the first that this machine has."""
    return ""


@pytest.fixture(scope="session")
def mysql_tcp(pytestconfig: pytest.Config) -> bool:
    """Whether a private server is to listen on a port too, not on a unix socket only."""
    return bool(pytestconfig.getini("mysql_tcp"))


@pytest.fixture(scope="session")
def mysql_program(request: pytest.FixtureRequest, mysqld: str) -> str:
    """Return the path of a server program for tests that start one; skip where there is none."""
    from throwaway_mysql.program import find_program

    try:
        return str(find_program(request.config.getoption("--mysqld") or mysqld).path)
    except ServerError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def mysql_server(
    request: pytest.FixtureRequest,
    mysql_configured: Sequence[Login] | Login,
    mysql_wait: float,
    mysqld: str,
    mysql_tcp: bool,  # noqa: FBT001 (a fixture)
) -> Login:
    """Return an account that may create databases.

    On the configured server if it answers, else on a private one that lives for the run.
    """
    from throwaway_mysql.server_choice import choose

    state = State.of(request.config)
    return choose(state, mysql_configured, mysql_wait, mysqld, tcp=mysql_tcp)


@pytest.fixture(scope="session")
def mysql_prefix(pytestconfig: pytest.Config) -> str:
    """Return how the names of throwaway databases begin: the ini option `mysql_prefix`."""
    return str(pytestconfig.getini("mysql_prefix"))


@pytest.fixture(scope="session")
def mysql_spared() -> Collection[str]:
    """Return names of databases that are never dropped, whatever they are called."""
    return ()


@pytest.fixture(scope="session")
def mysql_schema() -> Schema | None:
    """Return what makes the schema of a database: AlembicSchema or another, or nothing."""
    return None


@pytest.fixture(scope="session")
def mysql_run(
    request: pytest.FixtureRequest,
    mysql_server: Login,
    mysql_prefix: str,
    mysql_spared: Collection[str] | str,
) -> Databases:
    """Begin with the databases of this process; what killed runs left is dropped first."""
    from throwaway_mysql.databases import Databases
    from throwaway_mysql.folder import sweep_folders
    from throwaway_mysql.run import RunLogin
    from throwaway_mysql.server_choice import check

    state = State.of(request.config)
    check(state, mysql_server, mysql_prefix)
    sweep_folders()
    names = [mysql_spared] if isinstance(mysql_spared, str) else mysql_spared
    spared = (*names, *filter(None, [mysql_server.database]))
    prefix = str(mysql_prefix)  # what is no text is refused as one that is no prefix
    databases = Databases(mysql_server, prefix, spared=spared)
    if not isinstance(mysql_server, RunLogin):
        state.lines += map(DROPPED.format, databases.sweep())
    state.servers[mysql_server, prefix, spared] = databases
    return databases


def template_scope(fixture_name: str, config: pytest.Config) -> Scope:  # noqa: ARG001 (pytest names both)
    """Return how long a template is asked for: folders of tests may have schemas of their own.

    Never for a test alone, so that it is there before a test's own fixtures change what it needs.
    """
    return "session" if database_scope("create_db", config) == "session" else "module"


@pytest.fixture(scope=template_scope)
def _mysql_template(
    request: pytest.FixtureRequest, mysql_run: Databases, mysql_schema: Schema | None
) -> Template | None:
    from throwaway_mysql.clone import Template
    from throwaway_mysql.schema import CallableSchema

    wrong = isinstance(mysql_schema, type) or not hasattr(mysql_schema, "make")
    if mysql_schema is not None and wrong:
        wanted = "an AlembicSchema, SqlSchema, CallableSchema or None"
        raise ServerError(f"the fixture mysql_schema must give {wanted}, not {kind(mysql_schema)}")
    if mysql_schema is None and request.config.getini("mysql_isolation") == "none":
        return None
    schema = mysql_schema or CallableSchema(nothing)
    try:
        return Template.make(mysql_run, schema, State.of(request.config).owner)
    except Exception:
        if request.config.getoption("--db-keep"):
            with _database(request, mysql_run) as use:  # one to look into
                schema.make(mysql_run.login, use.database.name)
        raise


@pytest.fixture(scope=database_scope)
def create_db(
    request: pytest.FixtureRequest, mysql_run: Databases, _mysql_template: Template | None
) -> Iterator[Database]:
    """Make a database with the project's schema; yields the settings that lead to it."""
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
    """Make a database; after the block it waits for the tear-down's end to be dropped or kept."""
    state, failures = State.of(request.config), request.session.testsfailed
    for problem in state.settle(failures, restore=False):  # a database of this name, perhaps
        raise ServerError(problem)
    print("Creating db")
    database = databases.create(request.node.nodeid, number)
    use = Use(databases, database, failures)
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


def kind(value: object) -> str:
    """Return what a message calls a value that a fixture gave."""
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
