"""The plugin's fixtures.

pytest loads this in every run, so what only runs with databases need is imported on first use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from throwaway_mysql.errors import ServerError, wrong
from throwaway_mysql.state import DROPPED, SCOPES, Scope, State, Use

if TYPE_CHECKING:
    from throwaway_mysql.clone import Template
    from throwaway_mysql.databases import Database, Databases
    from throwaway_mysql.login import Login
    from throwaway_mysql.schema import Schema


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
