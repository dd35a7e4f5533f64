"""Sources of a throwaway database's schema: Alembic, a function, or an SQL file."""

import asyncio
import hashlib
import inspect
import logging
import pickle
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from throwaway_mysql.errors import ServerError
from throwaway_mysql.login import Login

if TYPE_CHECKING:
    from throwaway_mysql.migrations import AlembicProject

# Makes tables or rows in the database of that name; it may be an `async def`.
Step = Callable[[Login, str], object]
NO_QUERY = 1065  # the statement is only a comment that this server skips
# The servers execute the text in comments /*! ... */.
ELSEWHERE = re.compile(
    rb"(?:/\*M?!\d*\s*)?(USE\b|(?:CREATE|DROP|ALTER)\s+(?:DATABASE|SCHEMA)\b)", re.I
)
COMMENT = rb"(?:--(?=\s|\Z)|\#)[^\n]*|/\*(?!M?!).*?(?:\*/|\Z)"
BLANK = re.compile(rb"(?:\s|" + COMMENT + rb")*", re.DOTALL)
# The command that changes the delimiter; strings and comments, in which no delimiter counts.
MARKS = (
    rb"""|\n[ \t]*(?i:DELIMITER)[ \t]+(?P<next>\S+)[^\n]*"""
    rb"""|'(?:[^'\\]|\\.)*'?|"(?:[^"\\]|\\.)*"?|`[^`]*`?|""" + COMMENT
)


class Schema(Protocol):
    """What makes the schema of a throwaway database."""

    def make(self, login: Login, database: str) -> None:
        """Make the schema, and its rows, in an empty database."""


@dataclass(frozen=True)
class AlembicSchema:
    """The schema that an Alembic project's revisions make, and the rows that `seed` adds.

    `ini` is its alembic.ini or pyproject.toml; its env.py must use the connection in
    `config.attributes["connection"]` if there is one (Alembic's cookbook, "Sharing a
    Connection"). `name` is the section of the ini, as in `alembic -n`; `driver` is the project's
    driver, such as `mysqldb`, and `connect_args` are its engine's.
    """

    ini: str | Path
    seed: Step | None = None
    name: str = "alembic"
    driver: str = "pymysql"
    connect_args: Mapping[str, Any] | None = None

    def make(self, login: Login, database: str) -> None:
        """Upgrade to the newest revisions, then call the seed."""
        self.project(login, database).upgrade()
        _call(self.seed, login, database)

    def project(self, login: Login, database: str) -> "AlembicProject":
        """Return the project's Alembic commands for a database."""
        try:
            from throwaway_mysql.migrations import AlembicProject
        except ModuleNotFoundError as error:
            missing = f"AlembicSchema needs {error.name}: pip install alembic sqlalchemy"
            raise ServerError(missing) from None
        more = {"name": self.name, "driver": self.driver}
        return AlembicProject(self.ini, login, database, connect_args=self.connect_args, **more)


@dataclass(frozen=True)
class CallableSchema:
    """The schema that a function makes, and the rows that `seed` adds."""

    call: Step
    seed: Step | None = None

    def make(self, login: Login, database: str) -> None:
        """Call the function, then the seed."""
        _call(self.call, login, database)
        _call(self.seed, login, database)


@dataclass(frozen=True)
class SqlSchema:
    """The schema of an SQL file (DELIMITER works as in the mysql client), and what `seed` adds.

    Raises ServerError with the line if the server refuses a statement, or if a statement would
    change to another database.
    """

    path: str | Path
    seed: Step | None = None

    def make(self, login: Login, database: str) -> None:
        """Execute the statements of the file, then call the seed."""
        import pymysql

        from throwaway_mysql.connections import SLOWEST, reason, rows

        path = Path(self.path)
        if not path.exists():
            raise ServerError(f"there is no {path}: correct the path of SqlSchema")
        with login.connect(SLOWEST) as connection:
            connection.select_db(database)
            for line, statement in statements(path.read_bytes()):
                if found := ELSEWHERE.match(statement):
                    what = f"'{found[1].decode()}' would use another database: remove it"
                    raise ServerError(f"{path}:{line}: {what}")
                try:
                    rows(connection, statement or b"DO 0")
                except pymysql.MySQLError as error:
                    if error.args[0] != NO_QUERY:
                        raise ServerError(f"{path}:{line}: {reason(error)}") from None
        _call(self.seed, login, database)


def statements(text: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the statements of an SQL file, with the line where each begins."""
    text = b"\n" + text.removeprefix(b"\xef\xbb\xbf")
    delimiter, start, at = b";", 0, 0
    while found := re.compile(re.escape(delimiter) + MARKS, re.DOTALL).search(text, at):
        at = found.end()
        if found["next"]:
            delimiter, start = found["next"], at
        elif found[0] == delimiter:
            yield _numbered(text, start, found.start())
            start = at
    yield _numbered(text, start, len(text))


def _numbered(text: bytes, start: int, end: int) -> tuple[int, bytes]:
    found = BLANK.match(text, start, end)
    begin = found.end() if found else start
    return text.count(b"\n", 0, begin), text[begin:end].strip()


def key_of(schema: Schema) -> str | None:
    """Return a key that is the same for equal schemas in all of a run's processes, or None.

    A schema that cannot be pickled has none, for example one with a lambda or a closure: pickle
    refers to functions and classes by module and name.
    """
    try:
        return hashlib.sha256(pickle.dumps(schema)).hexdigest()
    except (pickle.PicklingError, AttributeError, TypeError):
        return None


def _call(step: Step | None, login: Login, database: str) -> None:
    """Call a step; turn SystemExit, which Flask-Migrate raises on failure, into a ServerError."""
    if not step:
        return
    try:
        with logging_restored():
            result = step(login, database)
            if inspect.isawaitable(result):
                wait_for(result)
    except SystemExit as error:
        name = getattr(step, "__qualname__", step)
        line = f"{name} ended with {error.code!r}: its output above says why"
        raise ServerError(line) from None


@contextmanager
def logging_restored() -> Iterator[None]:
    """Restore logging after migrations, whose command-line setup would silence the tests'."""
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


def wait_for(result: Awaitable[object]) -> None:
    """Await something in a new thread, as this one may have a running event loop."""

    async def wait() -> None:
        await result

    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, wait()).result()
