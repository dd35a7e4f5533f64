"""Run a project's Alembic on a throwaway database. Needs Alembic and SQLAlchemy."""

import contextlib
import io
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, make_url
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from throwaway_mysql.errors import ServerError
from throwaway_mysql.login import Login
from throwaway_mysql.schema import logging_restored

USE_IT = "use config.attributes['connection'] where there is one (Alembic's cookbook, sharing)"
BY_LOGIN = ("pymysql", "mysqldb")  # drivers that Tls has arguments for


class AlembicProject:
    """The commands of an Alembic project, run on one database and no other.

    `ini` is its alembic.ini or pyproject.toml; a relative path is searched for from the working
    folder upwards. `name`, `driver` and `connect_args` are as in AlembicSchema. Raises ServerError
    if env.py would migrate another database, before it does, or if the server refuses a statement.
    """

    def __init__(
        self,
        ini: str | Path,
        login: Login,
        database: str,
        *,
        name: str = "alembic",
        driver: str = "pymysql",
        connect_args: Mapping[str, Any] | None = None,
    ) -> None:
        self._config, self._folder = _config(Path(ini), name)
        self._engine = _engine(login, database, driver, dict(connect_args or {}))
        self._configured: dict[str, Any] | None = None  # env.py's options for Alembic
        with self._in_project_folder():
            try:
                self.script = ScriptDirectory.from_config(self._config)
            except CommandError as error:
                raise ServerError(f"{ini}: {error}") from None
        self._env = Path(self.script.dir) / "env.py"

    def upgrade(self, revision: str = "heads") -> None:
        """Upgrade to a revision."""
        if self._run(lambda: command.upgrade(self._config, revision)):
            return
        if not self.script.get_heads():
            raise ServerError(
                f"there are no revisions yet in {self.script.versions}: make the first by "
                "`alembic revision --autogenerate`"
            )
        raise ServerError(f"{self._env} migrated nothing here: {USE_IT}")

    def downgrade(self, revision: str) -> None:
        """Downgrade to a revision."""
        self._run(lambda: command.downgrade(self._config, revision))

    def check(self) -> None:
        """Raise ServerError if autogenerate would find a difference."""
        self._run(lambda: command.check(self._config))

    def current(self) -> tuple[str, ...]:
        """Return the revisions that the database is at."""
        return self._run(lambda: command.current(self._config))

    def _run(self, do: Callable[[], object]) -> tuple[str, ...]:
        """Call `do` with our connection in the configuration; return the resulting revisions."""
        with logging_restored(), self._in_project_folder(), self._guarded():
            with self._connect() as connection:
                self._config.attributes["connection"] = connection
                with self._refusals():
                    do()
                if not connection.closed:
                    connection.commit()  # env.py may leave this to us
            return self._heads()

    def _connect(self) -> Connection:
        try:
            return self._engine.connect()
        except SQLAlchemyError as error:
            raise ServerError(f"{self._engine.url.drivername}: {_text(error)}") from None

    def _heads(self) -> tuple[str, ...]:
        with self._connect() as connection:
            context = MigrationContext.configure(connection, opts=self._configured)
            return context.get_current_heads()

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """Refuse any other connection when env.py configures Alembic."""
        configure = EnvironmentContext.configure
        self._configured = None

        def checked(
            context: EnvironmentContext, connection: Connection | None = None, **more: Any
        ) -> None:
            if connection is None or connection.engine.pool is not self._engine.pool:
                raise self._other_database(connection)
            self._configured = more
            configure(context, connection, **more)

        EnvironmentContext.configure = checked  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            EnvironmentContext.configure = configure  # type: ignore[method-assign]

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        """Turn errors of Alembic or the server into a ServerError that names the revision.

        So is a failure of env.py's own connection. Other errors, such as a bug in a revision's
        Python, keep their traceback.
        """
        driver_error: type[Exception] = self._engine.dialect.loaded_dbapi.Error
        try:
            yield
        except ServerError:
            raise
        except CommandError as error:
            raise ServerError(f"{self._env.parent}: {error}") from None
        except (SQLAlchemyError, driver_error) as error:
            if self._configured is None:
                raise self._other_database() from None
            where = self._location(error)
            if not where or not isinstance(error, DBAPIError | driver_error):
                raise
            raise ServerError(f"revision {where}: {_text(error)}") from None

    def _location(self, error: Exception) -> str:
        """Return the revision that raised the error, and where in its file."""
        revisions = {Path(found.path).resolve(): found for found in self.script.walk_revisions()}
        for frame in reversed(traceback.extract_tb(error.__traceback__)):
            if found := revisions.get(Path(frame.filename).resolve()):
                return f"{found.revision} ({found.path}:{frame.lineno}, in {frame.name})"
        return ""

    def _other_database(self, connection: Connection | None = None) -> ServerError:
        """Return the error that names the other database; str() of a URL hides the password."""
        where = f" ({connection.engine.url})" if connection is not None else ""
        return ServerError(
            f"{self._env} tried to migrate a database other than the tests'{where}, so it was "
            f"stopped: {USE_IT}"
        )

    @contextlib.contextmanager
    def _in_project_folder(self) -> Iterator[None]:
        """Change to the folder that the ini's relative paths start from; restore sys.path."""
        path = sys.path[:]
        with contextlib.chdir(self._folder), warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*path_separator", DeprecationWarning)
            try:
                yield
            finally:
                sys.path[:] = path
                for name in [name for name in sys.path_importer_cache if name[:1] != os.sep]:
                    del sys.path_importer_cache[name]  # relative to this folder


def _config(ini: Path, name: str) -> tuple[Config, Path]:
    """Return a project's configuration, and the folder that its relative paths start from."""
    folders = [Path.cwd(), *Path.cwd().parents]
    path = next((folder / ini for folder in folders if (folder / ini).is_file()), None)
    if not path:
        raise ServerError(f"there is no {ini}: correct the path of the Alembic project")
    toml = path if path.suffix == ".toml" else path.with_name("pyproject.toml")
    config = Config(
        None if path == toml else path,
        toml_file=toml if toml.exists() else None,
        ini_section=name,
        stdout=io.StringIO(),
    )
    # Alembic fails in a folder with a % in its name, such as CI's feature%2Fx.
    config.file_config.set("DEFAULT", "here", path.parent.as_posix().replace("%", "%%"))
    location = str(config.get_alembic_option("script_location") or "")
    if not location and (path.parent / "env.py").exists():  # Flask-Migrate's
        config.set_main_option("script_location", str(path.parent).replace("%", "%%"))
    elif not location:
        raise ServerError(f"{path} has no script_location in [{name}]")
    # Projects run Alembic in the ini's folder, or in one above it.
    found = (folder for folder in path.parents if (folder / location / "env.py").exists())
    return config, next(found, path.parent)


def _engine(login: Login, database: str, driver: str, connect_args: dict[str, Any]) -> Engine:
    """Return an engine for a driver; its URL has no password, as reports may show it."""
    url = make_url(login.url(driver, database))
    shown = login.url(driver, database, password=False)
    try:
        if url.get_dialect().is_async:
            raise ServerError(f"{driver} is async: revisions take a sync driver, such as pymysql")
        engine = create_engine(shown, creator=lambda: connect(), poolclass=NullPool)
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise ServerError(f"the driver {driver} is not installed: {error}") from None
    args, options = engine.dialect.create_connect_args(url)
    if url.get_driver_name() in BY_LOGIN:
        options.update(login.encryption.arguments(url.get_driver_name()))
    if login.init_command:
        options["init_command"] = login.init_command
    options.update(connect_args)

    def connect() -> Any:
        return engine.dialect.connect(*args, **options)

    return engine


def _text(error: Exception) -> str:
    original = error.orig if isinstance(error, DBAPIError) else error
    return " ".join(" ".join(map(str, getattr(original, "args", [original]))).split())
