"""A project's own Alembic at work on a database of ours. Needs Alembic and SQLAlchemy."""

import io
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import get_ident
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Dialect, Engine, create_engine, event, inspect
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import NullPool

from throwaway_mysql import ServerError
from throwaway_mysql.login import Login
from throwaway_mysql.schemas import ini
from throwaway_mysql.schemas.outside import outside
from throwaway_mysql.schemas.refusals import in_one_line

SLOWEST = 3600.0  # seconds that one statement of a revision may take
USE_IT = "use config.attributes['connection'] where there is one (Alembic's cookbook, sharing)"


def config_of(path: Path) -> Config:
    """Return the configuration in an alembic.ini or pyproject.toml; what it prints is lost."""
    if path.suffix == ".toml":
        return Config(toml_file=path, stdout=io.StringIO())
    toml = path.with_name("pyproject.toml")
    config = Config(path, toml_file=toml if toml.exists() else None, stdout=io.StringIO())
    # Alembic itself fails in a folder with a % in its name, such as CI's feature%2Fx.
    config.file_config.set("DEFAULT", "here", ini.here(path))
    if location := ini.script_location(path):
        config.set_main_option("script_location", str(location).replace("%", "%%"))
    return config


class AlembicProject:
    """The commands of the Alembic project of `path` on the database of that name.

    `outside` names the first statement that reached beyond the database, as "CREATE USER" does.
    Raises ServerError where its env.py would go to another database than that, before it does,
    and where the server refuses what a revision executes.
    """

    def __init__(self, path: Path, login: Login, database: str) -> None:
        self._config = config_of(path)
        self.outside = ""
        self._configured = False
        self._engine = _engine(login, database, self._hear)
        self.script = ScriptDirectory.from_config(self._config)
        self._env = Path(self.script.dir) / "env.py"

    def upgrade(self, revision: str = "heads") -> None:
        """Upgrade to a revision."""
        self._run(command.upgrade, revision)
        if not inspect(self._engine).get_table_names():  # not even Alembic's own
            raise ServerError(f"{self._env} migrated nothing here: {USE_IT}")

    def downgrade(self, revision: str) -> None:
        """Downgrade to a revision."""
        self._run(command.downgrade, revision)

    def check(self) -> None:
        """Raise alembic.util.CommandError where autogenerate would find something to do."""
        self._run(command.check)

    def current(self) -> tuple[str, ...]:
        """Return the revisions that the database is at."""
        with self._engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_heads()

    def _hear(self, statement: str | bytes) -> None:
        text = statement if isinstance(statement, str) else statement.decode(errors="replace")
        self.outside = self.outside or outside(text)

    def _run(self, do: Callable[..., None], *arguments: str) -> None:
        with _logging_kept(), self._guarded(), self._engine.connect() as connection:
            self._config.attributes["connection"] = connection
            try:
                with in_one_line(self.script), self._watched():
                    do(self._config, *arguments)
            except NoSuchModuleError:  # the URL of Alembic's own template, driver://
                problem = self._other_database()
            else:
                return
        raise problem

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Refuse each connection but the engine's where env.py configures Alembic."""
        configure = EnvironmentContext.configure

        def checked(
            context: EnvironmentContext, connection: Connection | None = None, **more: Any
        ) -> None:
            if connection is None or connection.engine.pool is not self._engine.pool:
                raise self._other_database(connection)
            self._configured = True
            configure(context, connection, **more)

        EnvironmentContext.configure = checked  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            EnvironmentContext.configure = configure  # type: ignore[method-assign]

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Refuse any other connection until env.py, where it does not name the given, has that."""
        self._configured = "attributes" in self._env.read_text(encoding="utf-8")  # or will be
        here = get_ident()  # what the tests do meanwhile is not env.py's

        def connecting(dialect: Dialect, *_: object) -> None:
            if not self._configured and dialect is not self._engine.dialect and get_ident() == here:
                raise self._other_database()

        event.listen(Engine, "do_connect", connecting)
        try:
            yield
        except ArgumentError:  # its URL, which may be Alembic's own template's, is none
            if self._configured:
                raise
        except Exception as error:
            if not self._configured and not isinstance(error, ServerError):
                error.add_note(f"{self._env}: {USE_IT}")
            raise
        else:
            return
        finally:
            event.remove(Engine, "do_connect", connecting)
        raise self._other_database()

    def _other_database(self, connection: Connection | None = None) -> ServerError:
        """Return the error that tells where env.py would go; a URL's text has no password."""
        where = f" ({connection.engine.url})" if connection is not None else ""
        return ServerError(
            f"{self._env} would migrate another database than the tests'{where}, so it was not "
            f"let: {USE_IT}"
        )


@contextmanager
def _logging_kept() -> Iterator[None]:
    """Undo what an env.py sets up for the command line, which silences the tests' loggers."""
    named = logging.root.manager.loggerDict.values()
    loggers = [logging.root, *(logger for logger in named if isinstance(logger, logging.Logger))]
    before = [
        (logger, logger.level, logger.propagate, logger.disabled, logger.handlers[:])
        for logger in loggers
    ]
    try:
        yield
    finally:
        for logger, level, propagate, disabled, handlers in before:
            logger.setLevel(level)
            logger.propagate, logger.disabled = propagate, disabled
            logger.handlers[:] = handlers


def _engine(login: Login, database: str, hear: Callable[[str | bytes], None]) -> Engine:
    """Return an engine whose URL, which reports may show, has no password.

    `hear` is told each statement, also of the driver's own cursors.
    """
    there = replace(login, database=database)

    def connect() -> object:
        connection = there.connect(SLOWEST)
        connection.autocommit(False)  # noqa: FBT003 (the driver's own)
        send = connection.query

        def query(sql: str | bytes, unbuffered: bool = False) -> int:  # noqa: FBT001, FBT002 (as PyMySQL has it)
            hear(sql)
            return send(sql, unbuffered)

        connection.query = query  # type: ignore[method-assign]
        return connection

    url = URL.create(
        "mysql+pymysql", login.user, host=login.host, port=login.port, database=database
    )
    return create_engine(url, creator=connect, poolclass=NullPool)
