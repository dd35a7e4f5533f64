"""Start-up: wait for the database, and log a warning for each problem."""

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
    """Start only with a database, warn of its problems, and serve without long pauses."""
    app.extensions["startup_checks"] = []
    _exit_if_startup_fails(app)
    _exit_if_address_taken(app)

    @app.while_serving
    async def start() -> AsyncGenerator[None]:
        async def log_in() -> None:
            async with app.extensions["engine"].connect():
                pass  # the checks reuse this connection

        await wait(app.config, log_in, by_signal=app.extensions.get("by_signal", False))
        await _warn(app)
        # A full garbage collection scans all objects made at start-up, which are never garbage:
        # it held up requests for 0.09 s. Not in tests, which start many apps.
        if not app.testing:
            gc.freeze()
        yield


def check_at_start(app: Quart, check: Check) -> None:
    """Have `app` log a warning at start-up for each line that `check` returns."""
    app.extensions["startup_checks"].append(check)


async def wait(
    config: Mapping[str, Any],
    log_in: Callable[[], Awaitable[None]] | None = None,
    *,
    by_signal: bool = False,
) -> None:
    """Return once the database accepts a login.

    Ends the program with one line if it refuses the login or stays away for DB_WAIT seconds. With
    `by_signal`, Ctrl-C and SIGTERM end it too, which servers defer until start-up is over.
    """
    target = "database {DATABASE_NAME} at {DB_HOST}:{DB_PORT} as {DB_USERNAME}".format_map(config)
    start = shown = time.monotonic()
    with ExitStack() as stack:
        for number in (signal.SIGINT, signal.SIGTERM) if by_signal else ():
            stack.callback(signal.signal, number, signal.signal(number, signal.SIG_DFL))
        while True:
            try:
                # A login that takes longer than a request may take is useless.
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
    """Run the checks; serve whatever they find, even if the database has gone away again."""
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
    """End the process if start-up gives up, with its line as the last output.

    If SystemExit reached the servers, hypercorn would print pages of traceback, and uvicorn would
    take the app for one without lifespan and serve it. Nothing is open yet.
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
    """Report a taken address in one line: hypercorn shows a traceback."""
    serve = app.run

    def run(host: str, port: int, **options: Any) -> None:
        try:
            serve(host, port, **options)
        except OSError as error:
            hint = "stop what listens there, or set HOST or PORT"
            print(f"{host}:{port}: {error.strerror}: {hint}", file=sys.stderr, flush=True)
            os._exit(1)  # open connections belong to a loop that is closed by now

    app.run = run  # type: ignore[method-assign, assignment]
