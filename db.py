"""The database: its URL, the engine between start-up and shut-down, and the transaction."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, Scope
from quart import Quart, current_app
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

NOT_MIGRATED = "The database's schema is not the newest: run `alembic upgrade head`."
AWAY = "The database does not answer now. Try again in a moment."

NO_SUCH_TABLE = 1146
# The server is there and says no: waiting does not help.
REFUSALS = {
    1044: "run `quart mysql setup`, or grant that user the database",
    1045: "correct DB_USERNAME and DB_PASSWORD, or run `quart mysql setup`",
    1049: "run `quart mysql setup`, or create the database",
    1130: "let that user in from this host",
    1698: "correct DB_USERNAME and DB_PASSWORD, or run `quart mysql setup`",
}
PROGRESS_EVERY = 5  # seconds


class UnavailableError(Exception):
    """The database can't be used now; the message is for whoever asked."""


def url(config: Mapping[str, Any], driver: str = "mysql+aiomysql") -> URL:
    """Return the URL of the configured database; any sign may stand in the password."""
    return URL.create(
        driver,
        username=config["DB_USERNAME"],
        # Both drivers encode a password as latin-1, and the servers hash UTF-8.
        password=config["DB_PASSWORD"].encode().decode("latin-1"),
        host=config["DB_HOST"],
        port=config["DB_PORT"],
        database=config["DATABASE_NAME"],
        query={"charset": "utf8mb4"},
    )


def init_app(app: Quart) -> None:
    """Open the engine when `app` starts to serve, and close it when it ends."""
    _end_in_one_line(app)

    @app.while_serving
    async def engine() -> AsyncGenerator[None]:
        await wait(app.config)
        app.extensions["engine"] = create_async_engine(
            url(app.config),
            pool_size=app.config["DB_POOL_SIZE"],
            max_overflow=0,
            pool_pre_ping=True,
            pool_reset_on_return=None,  # transaction() ends each one itself: a round trip less
            connect_args={"connect_timeout": app.config["DB_TIMEOUT"]},
        )
        yield
        await app.extensions["engine"].dispose()


@asynccontextmanager
async def transaction() -> AsyncIterator[AsyncConnection]:
    """Give the block a connection of its own; commit at its end, roll back on an error.

    Raises UnavailableError where the database is away, answers not within DB_TIMEOUT seconds,
    or lacks the tables.
    """
    engine: AsyncEngine = current_app.extensions["engine"]
    try:
        async with asyncio.timeout(current_app.config["DB_TIMEOUT"]), engine.begin() as connection:
            yield connection
    except ProgrammingError as error:
        if _cause(error)[0] != NO_SUCH_TABLE:
            raise
        raise UnavailableError(NOT_MIGRATED) from error
    except (OperationalError, InterfaceError, PoolTimeoutError, TimeoutError, OSError) as error:
        current_app.logger.warning("database: %s", getattr(error, "orig", None) or repr(error))
        raise UnavailableError(AWAY) from error


async def wait(config: Mapping[str, Any]) -> None:
    """Return once the database takes a login.

    Ends the program with one line where it refuses one, or stays away for DB_WAIT seconds.
    """
    place = "database {DATABASE_NAME} at {DB_HOST}:{DB_PORT} as {DB_USERNAME}".format_map(config)
    start = shown = time.monotonic()
    while failure := await _attempt(config):
        number, text = failure
        if remedy := REFUSALS.get(number):
            raise SystemExit(f"No {place}: {text}. To mend it, {remedy}.")
        waited = time.monotonic() - start
        if waited > config["DB_WAIT"]:
            raise SystemExit(f"No {place} after {waited:.0f} s (DB_WAIT): {text}.")
        if time.monotonic() - shown >= PROGRESS_EVERY:
            shown = time.monotonic()
            print(f"Waiting for {place}: {waited:.0f} s", file=sys.stderr, flush=True)
        await asyncio.sleep(0.2)


async def _attempt(config: Mapping[str, Any]) -> tuple[int, str] | None:
    """Log in once; return None, or why that failed."""
    engine = create_async_engine(url(config), poolclass=NullPool)
    try:
        async with asyncio.timeout(min(PROGRESS_EVERY, config["DB_WAIT"] + 1)), engine.connect():
            return None
    except (OperationalError, InterfaceError) as error:
        return _cause(error)
    except (TimeoutError, OSError) as error:
        return 0, f"no answer ({error!r})"
    finally:
        await engine.dispose()


def _end_in_one_line(app: Quart) -> None:
    """Make a start-up that gives up end the process, with its line as the last word.

    Raised through the servers, SystemExit becomes pages of traceback in hypercorn, and
    uvicorn takes it for an app without start-up and serves. Nothing is open yet.
    """
    asgi_app = app.asgi_app

    async def run(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        try:
            await asgi_app(scope, receive, send)
        except SystemExit as end:
            print(end, file=sys.stderr, flush=True)
            os._exit(1)

    app.asgi_app = run  # type: ignore[method-assign]  # Quart's way to wrap an app


def _cause(error: DBAPIError) -> tuple[int, str]:
    """Return MySQL's number and text of an error; the number is 0 where the driver has none."""
    match error.orig.args if error.orig else ():
        case (int(number), str(text), *_):
            return number, text
    return 0, repr(error.orig)
