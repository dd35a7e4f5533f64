"""SIGTERM: accepted hits are answered truthfully, new ones are refused."""

import http.client
import json
import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection

from counter.testing import count_of
from tests.support.databases import connected
from tests.support.project import PROJECT, UVICORN, Environ
from tests.support.serving import WITHIN, Serving, free_port, serving
from throwaway_mysql import Database

HITS = "/api/v1/counters/ending/one/hits"
LONG, SHORT = 120, 10  # seconds that a hit may take
WAITING = (
    "SELECT COUNT(*) FROM information_schema.innodb_trx"
    " WHERE trx_state = 'LOCK WAIT' AND trx_query LIKE '%%ending/one%%'"
)

Answer = tuple[int, str]


@pytest.fixture
def other_connection(fresh_db: Database) -> Iterator[Connection]:
    """Connect to the database, not through the app."""
    with connected(fresh_db) as connection:
        yield connection


@pytest.fixture
def app(
    request: pytest.FixtureRequest, fresh_db: Database, server_environ: Environ, tmp_path: Path
) -> Iterator[Serving]:
    """Serve the app as in production, with a long HIT_TIMEOUT unless the test sets another."""
    port, timeout = free_port(), str(getattr(request, "param", LONG))
    argv = [*UVICORN, "--port", str(port), "manage:app"]
    environ = server_environ | fresh_db.environ() | {"HIT_TIMEOUT": timeout}
    with serving(argv, port, environ, PROJECT, tmp_path / "log") as app:
        yield app


def hit(app: Serving) -> Answer:
    """Hit the counter; return status and body."""
    with closing(http.client.HTTPConnection("127.0.0.1", app.port, timeout=LONG)) as client:
        client.request("POST", HITS)
        response = client.getresponse()
        return response.status, response.read().decode()


def accepted(
    app: Serving, other_connection: Connection, pool: ThreadPoolExecutor
) -> Future[Answer]:
    """Have a hit wait for the row, which is locked until COMMIT; return its future answer."""
    assert hit(app)[0] == 200
    other_connection.exec_driver_sql("BEGIN")
    other_connection.exec_driver_sql("SELECT * FROM counter FOR UPDATE").all()
    waits = pool.submit(hit, app)
    while not other_connection.exec_driver_sql(WAITING).scalar():
        time.sleep(0.15)  # the server caches its answer for 0.1 s
    return waits


def test_sigterm_finishes_what_was_accepted(app: Serving, other_connection: Connection) -> None:
    with ThreadPoolExecutor() as pool:
        waits = accepted(app, other_connection, pool)
        app.process.send_signal(signal.SIGTERM)
        while "Shutting down" not in app.log.read_text():
            time.sleep(0.01)
        other_connection.exec_driver_sql("COMMIT")
        status, body = waits.result()
    assert (status, json.loads(body)["count"]) == (200, 2)
    app.process.wait(WITHIN)
    assert other_connection.exec_driver_sql(count_of("ending/one")).scalar() == 2


@pytest.mark.parametrize("app", [SHORT], indirect=True)
def test_after_sigterm_a_hit_that_the_database_holds_up_is_told_what_became_of_it(
    app: Serving, other_connection: Connection
) -> None:
    with ThreadPoolExecutor() as pool:
        waits = accepted(app, other_connection, pool)
        app.process.send_signal(signal.SIGTERM)
        status, body = waits.result()
        app.process.wait(WITHIN)
    assert status == 503
    # It depends on whether the batch was in flight just then: it waits 1 s for a lock.
    sent = "may have been counted" in body
    assert sent or "was not counted" in body
    other_connection.exec_driver_sql("COMMIT")
    assert other_connection.exec_driver_sql(count_of("ending/one")).scalar() in (
        [1, 2] if sent else [1]
    )


def test_hits_are_answered_before_the_server_gives_them_up() -> None:
    """Docker kills 10 seconds after SIGTERM."""
    dockerfile, readme = ((PROJECT / name).read_text() for name in ("Dockerfile", "README.md"))
    (grace,) = re.findall("--timeout-graceful-shutdown ([0-9]+)", dockerfile)
    defaults = dict(re.findall(r"^\| `(\w+_TIMEOUT)` .* `([0-9]+)` \|$", readme, re.M))
    assert int(defaults["DB_TIMEOUT"]) < int(defaults["HIT_TIMEOUT"]) < int(grace) < 10
