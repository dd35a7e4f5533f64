"""A project's own Alembic at work on a database of ours. Needs Alembic and SQLAlchemy."""

import io
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect
from sqlalchemy.pool import NullPool

from throwaway_mysql import ServerError
from throwaway_mysql.login import Login
from throwaway_mysql.schemas import ini
from throwaway_mysql.schemas.outside import outside

SLOWEST = 3600.0  # seconds that one statement of a revision may take
USE_IT = "use config.attributes['connection'] where there is one (Alembic's cookbook, sharing)"


def config_of(path: Path) -> Config:
    """Return the configuration in an alembic.ini or pyproject.toml; what it prints is lost."""
    if path.suffix == ".toml":
        return Config(toml_file=path, stdout=io.StringIO())
    toml = path.with_name("pyproject.toml")
    config = Config(path, toml_file=toml if toml.exists() else None, stdout=io.StringIO())
    if location := ini.script_location(path):
        config.set_main_option("script_location", str(location).replace("%", "%%"))
    return config


class AlembicProject:
    """The commands of the Alembic project of `path` on the database of that name.

    `outside` names the first statement that reached beyond the database, as "CREATE USER" does.
    Raises ServerError where its env.py would go to another database than that.
    """

    def __init__(self, path: Path, login: Login, database: str) -> None:
        self._config = config_of(path)
        self.outside = ""
        self._engine = _engine(login, database)
        event.listen(self._engine, "before_cursor_execute", self._hear)
        self.script = ScriptDirectory.from_config(self._config)
        env = Path(self.script.dir) / "env.py"
        if "attributes" not in env.read_text(encoding="utf-8"):
            raise ServerError(f"{env} would migrate another database than the tests': {USE_IT}")

    def upgrade(self, revision: str = "heads") -> None:
        """Upgrade to a revision."""
        self._run(command.upgrade, revision)
        if not inspect(self._engine).get_table_names():  # not even Alembic's own
            raise ServerError(f"{self.script.dir}/env.py migrated another database: {USE_IT}")

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

    def _hear(self, _link: Connection, _cursor: object, statement: str, *_: object) -> None:
        self.outside = self.outside or outside(statement)

    def _run(self, do: Callable[..., None], *arguments: str) -> None:
        with _logging_kept(), self._engine.connect() as connection:
            self._config.attributes["connection"] = connection
            do(self._config, *arguments)


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


def _engine(login: Login, database: str) -> Engine:
    """Return an engine whose URL, which reports may show, has no password."""
    there = replace(login, database=database)

    def connect() -> object:
        connection = there.connect(SLOWEST)
        connection.autocommit(False)  # noqa: FBT003 (the driver's own)
        return connection

    url = URL.create(
        "mysql+pymysql", login.user, host=login.host, port=login.port, database=database
    )
    return create_engine(url, creator=connect, poolclass=NullPool)
