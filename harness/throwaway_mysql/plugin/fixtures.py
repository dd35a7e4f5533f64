"""The databases of a project's tests, as fixtures.

A project overrides `mysql_prefix` and `mysql_schema`, and builds its own on `create_db`.
pytest loads this in every run, so what only a run with databases needs is imported there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from throwaway_mysql import ServerError
from throwaway_mysql.plugin import given
from throwaway_mysql.plugin.keeping import failures, is_kept
from throwaway_mysql.plugin.report import say
from throwaway_mysql.plugin.server_fixtures import run_folder
from throwaway_mysql.plugin.timing import journal_of

if TYPE_CHECKING:
    from throwaway_mysql.databases.database import Coordinates
    from throwaway_mysql.databases.journal import Journal
    from throwaway_mysql.databases.ownership import Run
    from throwaway_mysql.login import Login
    from throwaway_mysql.schemas.clone import Filled
    from throwaway_mysql.schemas.schema import Schema

RUN_TOKEN = pytest.StashKey[str]()
RUN_INPUT = "throwaway_mysql_token"  # tells workers of pytest-xdist of it
Scope = Literal["function", "module", "session"]
SCOPES: dict[str, Scope] = {"test": "function", "module": "module", "session": "session"}


def run_token(config: pytest.Config) -> str:
    """Return what the databases of all processes of this run have in their names."""
    from throwaway_mysql.databases.identity import new_token

    handed_on = getattr(config, "workerinput", {}).get(RUN_INPUT, "")
    return str(handed_on) or config.stash.setdefault(RUN_TOKEN, new_token())


def database_scope(fixture_name: str, config: pytest.Config) -> Scope:  # noqa: ARG001 (pytest names both)
    """Return how long a database serves: the ini option `mysql_database`."""
    chosen = config.getini("mysql_database")
    if chosen not in SCOPES:
        raise pytest.UsageError(
            f"mysql_database is '{chosen}': it must be one of {', '.join(SCOPES)}"
        )
    return SCOPES[chosen]


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
    """Return what makes the schema of a database: AlembicSchema, CallableSchema, or nothing."""
    return None


@pytest.fixture(scope="session")
def mysql_run(
    request: pytest.FixtureRequest,
    mysql_server: Login,
    mysql_prefix: str,
    mysql_spared: Collection[str],
) -> Iterator[Run]:
    """Begin the run that owns the databases; what killed runs left is dropped first."""
    from throwaway_mysql.databases.ownership import Run
    from throwaway_mysql.servers import leftovers
    from throwaway_mysql.servers.run import places

    config = request.config
    leftovers.sweep(places())
    worker = getattr(config, "workerinput", {}).get("workerid", "main")
    spared = {*given.names(mysql_spared), *filter(None, [mysql_server.database])}
    run = Run.begin(mysql_prefix, worker, run_token(config), spared)
    run.journal = journal_of(config)
    with run.journal.step("sweep"):
        _sweep(config, mysql_server, run)
    yield run
    if worker != "main":  # another worker may have crashed
        with suppress(ServerError):  # the next run does it
            _sweep(config, mysql_server, run)
    say(config, *(f"a leak: {leak}" for leak in run.leaks))
    run.close()


@pytest.fixture(scope="session")
def mysql_cache(request: pytest.FixtureRequest) -> Path:
    """Return the folder for copies of schemas: the user's, or else the run's."""
    from throwaway_mysql import cache

    folder = cache.writable(lambda: _copies(request.config))
    cache.remove_halves(folder)
    return folder


@pytest.fixture(scope=database_scope)
def create_db(
    request: pytest.FixtureRequest,
    mysql_server: Login,
    mysql_run: Run,
    mysql_schema: Schema | None,
    mysql_cache: Path,
) -> Iterator[Coordinates]:
    """Make a database with the project's schema; yields the settings that lead to it."""
    from throwaway_mysql.plugin.isolation import isolated
    from throwaway_mysql.schemas.clone import fill

    schema = given.schema(mysql_schema)
    with _database(request, mysql_server, mysql_run) as coordinates:
        name = coordinates["DATABASE_NAME"]
        if schema:
            print("Migrating db")
            filled = fill(mysql_server, name, schema, mysql_cache)
            if filled.cloned:
                print("It was copied: what makes the schema has not changed")
            _note(filled, mysql_run.journal, name)
            if filled.warning:
                say(request.config, filled.warning)
        with isolated(request, mysql_server, name, mysql_run):
            yield coordinates


@pytest.fixture
def empty_database(
    request: pytest.FixtureRequest, mysql_server: Login, mysql_run: Run
) -> Iterator[Coordinates]:
    """Make a database without tables for one test."""
    with _database(request, mysql_server, mysql_run) as coordinates:
        yield coordinates


def _copies(config: pytest.Config) -> Path:
    folder = run_folder(config) / "copies"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


@contextmanager
def _database(request: pytest.FixtureRequest, login: Login, run: Run) -> Iterator[Coordinates]:
    """Make a database, and drop it after the block unless it is to be kept."""
    from throwaway_mysql.databases.database import keep, throwaway_database
    from throwaway_mysql.servers.kept import keep_server, ways_in
    from throwaway_mysql.servers.shared import SharedLogin

    before = failures(request.session)
    print("Creating db")
    with throwaway_database(login, "", run) as coordinates:
        name = coordinates["DATABASE_NAME"]
        run.journal.purposes[name] = request.node.nodeid
        try:
            yield coordinates
        except BaseException:
            before = -1  # a failure that nobody has counted yet
            raise
        finally:
            if is_kept(request.session, before):
                keep(login, name, run)
                if isinstance(login, SharedLogin):
                    keep_server(login)
                say(request.config, *ways_in(login, name))
            else:
                print("Destroying db")


def _sweep(config: pytest.Config, login: Login, run: Run) -> None:
    from throwaway_mysql.databases.sweep import sweep

    swept = sweep(login, run)
    say(config, *(f"dropped what a killed run left: {name}" for name in swept.dropped))
    if swept.stay and swept.note:  # locks cannot be trusted there
        say(config, swept.note, *map(str, swept.stay))


def _note(filled: Filled, journal: Journal, name: str) -> None:
    waited = filled.seconds.get("wait", 0)
    how = "copied" if filled.cloned else f"migrated ({filled.note})" if filled.note else "migrated"
    journal.add(f"schema: {how}", sum(filled.seconds.values()) - waited, name)
    if waited:
        journal.add("schema: wait for another", waited, name)
