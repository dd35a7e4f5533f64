"""The start of the app: it waits for its database, and logs a line for each thing amiss."""

import asyncio
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import ExitStack
from typing import Any

from pymysql import MySQLError
from quart import Quart
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from werkzeug.exceptions import ServiceUnavailable

import db
import db_errors
from db_errors import Kind

Check = Callable[[AsyncConnection], Awaitable[Iterable[str]]]

PROGRESS_EVERY = 5  # seconds


def init_app(app: Quart) -> None:
    """Start with the database only, warn of what is amiss there, and serve without long pauses."""
    app.extensions["startup_checks"] = []
    _exit_if_startup_fails(app)
    _exit_if_address_taken(app)

    @app.while_serving
    async def start() -> AsyncGenerator[None]:
        async def log_in() -> None:
            async with app.extensions["engine"].connect():
                pass  # the checks go on with this connection

        await wait(app.config, log_in, by_signal=app.extensions.get("by_signal", False))
        await _warn(app)
        # A full garbage collection goes through all that the start has made, which is never
        # garbage: requests stood still for 0.09 s. Tests start apps again and again.
        if not app.testing:
            gc.freeze()
        yield


def check_at_start(app: Quart, check: Check) -> None:
    """Have `app` warn, when it starts, of each line that the function returns."""
    app.extensions["startup_checks"].append(check)


async def wait(
    config: Mapping[str, Any],
    log_in: Callable[[], Awaitable[None]] | None = None,
    *,
    by_signal: bool = False,
) -> None:
    """Return once the database takes a login.

    Ends the program with one line where it refuses one, or stays away for DB_WAIT seconds;
    with `by_signal` at Ctrl-C and SIGTERM too, which servers only note until a start is over.
    """
    target = "database {DATABASE_NAME} at {DB_HOST}:{DB_PORT} as {DB_USERNAME}".format_map(config)
    start = shown = time.monotonic()
    with ExitStack() as stack:
        for number in (signal.SIGINT, signal.SIGTERM) if by_signal else ():
            stack.callback(signal.signal, number, signal.signal(number, signal.SIG_DFL))
        while True:
            try:
                # A login that takes longer than a request may is of no use.
                async with asyncio.timeout(config["DB_TIMEOUT"]):
                    return await (log_in() if log_in else _log_in(config))
            except (MySQLError, DBAPIError, TimeoutError) as error:
                refused, reason = db_errors.kind(error) is Kind.REFUSAL, db_errors.reason(error)
                remedy = db_errors.remedy(error)
            waited = time.monotonic() - start
            if refused or waited > config["DB_WAIT"]:
                raise SystemExit(
                    f"No {target} in {waited:.0f} s (DB_WAIT): {reason}. {remedy}".rstrip()
                )
            if time.monotonic() - shown >= PROGRESS_EVERY:
                shown = time.monotonic()
                print(f"Waiting for {target}: {waited:.0f} s", file=sys.stderr, flush=True)
            await asyncio.sleep(0.2)


async def _log_in(config: Mapping[str, Any]) -> None:
    await (await db.connect(config)).ensure_closed()


async def _warn(app: Quart) -> None:
    """Run the checks, and serve all the same, also if the database has gone again."""
    try:
        async with db.transaction() as connection:
            for check in app.extensions["startup_checks"]:
                for line in await check(connection):
                    app.logger.warning(line)
    except ServiceUnavailable as error:
        app.logger.warning(error.description)
    except DBAPIError as error:
        app.logger.warning("database: %s", db_errors.reason(error))


def _exit_if_startup_fails(app: Quart) -> None:
    """Make a start-up that gives up end the process, with its line as the last word.

    Raised through the servers, SystemExit becomes pages of traceback in hypercorn, and
    uvicorn takes it for an app without start-up and serves. Nothing is open yet.
    """
    asgi_app = app.asgi_app

    async def run(scope: Any, *channel: Any) -> None:
        if scope["type"] != "lifespan":
            return await asgi_app(scope, *channel)
        app.extensions["by_signal"] = threading.current_thread() is threading.main_thread()
        try:
            await asgi_app(scope, *channel)
        except SystemExit as end:
            print(end, file=sys.stderr, flush=True)
            os._exit(1)

    app.asgi_app = run  # type: ignore[assignment, method-assign]  # its way


def _exit_if_address_taken(app: Quart) -> None:
    """Do what hypercorn does not, whose word for a taken address is a traceback."""
    serve = app.run

    def run(host: str, port: int, **options: Any) -> None:
        try:
            serve(host, port, **options)
        except OSError as error:
            hint = "stop what listens there, or set HOST or PORT"
            print(f"{host}:{port}: {error.strerror}: {hint}", file=sys.stderr, flush=True)
            os._exit(1)  # connections were opened, whose loop is closed by now

    app.run = run  # type: ignore[method-assign, assignment]
