"""The database: its URL, the engine from start-up to shutdown, and transactions."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from quart import Quart, current_app
from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool
from werkzeug.exceptions import ServiceUnavailable

import db_connection
import db_errors
import db_tls
from db_connection import Connection
from db_errors import Kind

# Every table sets these options, as servers' defaults differ.
TABLE: Any = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_unicode_520_ci",
    "mysql_row_format": "DYNAMIC",
}

NOT_MIGRATED = (
    "The database schema does not match this program: run `alembic upgrade head` if the schema is "
    "older, or deploy the newer program."
)
NOT_STARTED = "The app is not started: in a test, use create_test_app."
RETRY_AFTER = 2  # seconds: about what a database needs to restart
DETAILS = {
    Kind.OUTAGE: "The database is unavailable.",
    Kind.CONFLICT: "Another transaction was in the way: try again.",
    Kind.REFUSAL: "The database refuses this program. The program's log says why.",
    Kind.SCHEMA: NOT_MIGRATED,
}


def url(config: Mapping[str, Any], driver: str = "mysql+aiomysql") -> URL:
    """Return the URL of the configured database; the password may have any character."""
    return URL.create(
        driver,
        username=config["DB_USERNAME"],
        # Both drivers encode a password as latin-1, but the servers hash UTF-8.
        password=config["DB_PASSWORD"].encode().decode("latin-1"),
        host=config["DB_HOST"],
        port=config["DB_PORT"],
        database=config["DATABASE_NAME"],
        query={"charset": "utf8mb4"},
    )


def sync_engine(config: Mapping[str, Any]) -> Engine:
    """Return an engine without time limits, for work outside requests, such as migrations."""
    return create_engine(
        url(config, "mysql+pymysql"),
        poolclass=NullPool,
        connect_args={"init_command": db_connection.session(), **db_tls.arguments(config)},
    )


def init_app(app: Quart) -> None:
    """Open the engine when `app` starts serving, and close it when it stops."""

    @app.while_serving
    async def engine() -> AsyncGenerator[None]:
        size = app.config["DB_POOL_SIZE"]
        slots = asyncio.Semaphore(size)
        app.extensions["engine"] = create_async_engine(
            url(app.config),
            async_creator=lambda: connect(app.config, app.config["DB_TIMEOUT"], slots),
            pool_size=size,
            max_overflow=0,
            pool_timeout=None,  # DB_TIMEOUT covers it
            pool_pre_ping=True,
            pool_reset_on_return=None,  # transaction() ends each one itself: saves a round trip
        )
        _keep_uuids_as_text(app.extensions["engine"].sync_engine)
        yield
        await app.extensions["engine"].dispose()


def _keep_uuids_as_text(engine: Engine) -> None:
    """Map Uuid to CHAR(32) on MariaDB too, as on MySQL and in offline SQL."""
    dialect = engine.dialect
    event.listen(engine, "connect", lambda *_: setattr(dialect, "supports_native_uuid", False))


@asynccontextmanager
async def transaction() -> AsyncIterator[AsyncConnection]:
    """Give the block its own connection; commit at its end, roll back on an error.

    Raises ServiceUnavailable if the database is away or refuses, another transaction is in the
    way, a table is missing, or the block takes longer than DB_TIMEOUT seconds. Other errors are
    the block's own.
    """
    try:
        engine: AsyncEngine = current_app.extensions["engine"]
    except KeyError:
        raise RuntimeError(NOT_STARTED) from None
    limit = asyncio.timeout(current_app.config["DB_TIMEOUT"])
    try:
        async with limit, engine.begin() as connection:
            try:
                yield connection
            except asyncio.CancelledError:
                await connection.invalidate()  # no ROLLBACK: a hung server would delay it
                raise
    except (DBAPIError, TimeoutError) as error:
        kind = db_errors.kind(error)
        if kind is Kind.FAULT and not limit.expired():
            raise
        current_app.logger.warning("database: %s", db_errors.reason(error))
        detail = DETAILS.get(kind, DETAILS[Kind.OUTAGE])
        raise ServiceUnavailable(detail, retry_after=RETRY_AFTER) from error


async def connect(
    config: Mapping[str, Any],
    within: float | None = None,
    slots: asyncio.Semaphore | None = None,
) -> Connection:
    """Open a connection with the app's session settings: see db_connection."""
    return await db_connection.connect(url(config), db_tls.context(config), within, slots)
