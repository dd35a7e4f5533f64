"""The database goes away under the app, and comes back."""

import http.client
import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from signal import Signals

import pytest

from counter.testing import view
from tests.support.databases import migrated_database
from tests.support.project import PROJECT, UVICORN
from tests.support.serving import Serving, free_port, frozen, serving
from throwaway_mysql import Server, ServerError

DB_TIMEOUT = 3  # seconds; by default 4, for answers within 5
WITHIN = 3.5 * DB_TIMEOUT  # were requests to wait for one another, it would be 4 times as long
BACK_WITHIN = 60.0


@pytest.fixture(scope="module")
def server(mysql_program: str) -> Iterator[Server]:
    """Start a server of the module's own, as no other test may lose its."""
    server = Server(mysql_program)
    yield server
    server.close()


@pytest.fixture(scope="module")
def app(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """Serve the app on that server."""
    log = tmp_path_factory.mktemp("app") / "log"
    port = free_port()
    with migrated_database(server.root) as coordinates:
        environ = {**os.environ, **coordinates.environ(), "DB_TIMEOUT": str(DB_TIMEOUT)}
        argv = [*UVICORN, "--port", str(port), "manage:app"]
        with serving(argv, port, environ, PROJECT, log) as app:
            yield app


@pytest.fixture
def client(app: Serving) -> Iterator[http.client.HTTPConnection]:
    """Connect to the app."""
    connection = http.client.HTTPConnection("127.0.0.1", app.port, timeout=120)
    yield connection
    connection.close()


def ask(
    client: http.client.HTTPConnection, path: str, accept: str
) -> tuple[http.client.HTTPResponse, str, float]:
    """Return the answer, its body and how many seconds it took."""
    start = time.monotonic()
    client.request("GET", path, headers={"Accept": accept})
    response = client.getresponse()
    return response, response.read().decode(), time.monotonic() - start


def view_once_back(client: http.client.HTTPConnection) -> int:
    """View the page as soon as the app is ready again."""
    deadline = time.monotonic() + BACK_WITHIN
    while ask(client, "/health/ready", "application/json")[0].status != 200:
        assert time.monotonic() < deadline, "the app did not recover"
        time.sleep(0.05)
    return view(client)


def check_that_it_says_so(client: http.client.HTTPConnection) -> None:
    """Ask while the database is away: a page and a problem, soon, and alive all the same."""
    response, body, seconds = ask(client, "/", "text/html")
    assert response.status == 503
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert int(response.headers["Retry-After"]) > 0
    assert "<h1>Service Unavailable</h1>" in body
    assert seconds < WITHIN

    response, body, seconds = ask(client, "/health/ready", "application/json")
    assert response.status == 503
    assert response.headers["Content-Type"] == "application/problem+json"
    assert int(response.headers["Retry-After"]) > 0
    assert json.loads(body)["status"] == 503
    assert seconds < WITHIN

    assert ask(client, "/health/live", "application/json")[0].status == 200


@pytest.mark.parametrize("signal", [Signals.SIGTERM, Signals.SIGKILL], ids=lambda s: s.name)
def test_a_server_that_ended_and_returned(
    server: Server, client: http.client.HTTPConnection, signal: Signals
) -> None:
    before = view(client)
    server.stop(signal)
    try:
        check_that_it_says_so(client)
    finally:
        server.start()
    # Nothing was counted while it was away. These servers don't flush to disk, but the
    # operating system goes on, so what was committed is there after SIGKILL too.
    assert view_once_back(client) == before + 1


def test_a_server_that_hung_and_went_on(server: Server, app: Serving) -> None:
    # Four times as many as the pool has connections.
    clients = [http.client.HTTPConnection("127.0.0.1", app.port, timeout=120) for _ in range(40)]
    before = view(clients[0])
    with frozen(server.pid):
        start = time.monotonic()
        for client in clients:
            client.request("GET", "/")
        answers = [client.getresponse() for client in clients]
        assert time.monotonic() - start < WITHIN
        assert {answer.status for answer in answers} == {503}
        assert all(answer.headers["Retry-After"] for answer in answers)
        for answer in answers:
            answer.read()
    after = view_once_back(clients[0])
    # A view that was given up may have been counted if its UPDATE was on its way.
    assert before + 1 <= after <= before + 1 + len(clients)
    assert view(clients[1]) == after + 1
    for client in clients:
        client.close()


@contextmanager
def full(server: Server) -> Iterator[None]:
    """Take all connections of the server, the app's too, until the block ends."""
    with ExitStack() as held:
        root = held.enter_context(server.root.connect()).cursor()
        root.execute("SELECT @@max_connections")
        held.callback(root.execute, "SET GLOBAL max_connections = %s", root.fetchone())
        root.execute("SET GLOBAL max_connections = 10")  # MariaDB takes no less
        root.execute("SELECT id FROM information_schema.processlist WHERE db IS NOT NULL")
        for (connection,) in root.fetchall():
            root.execute("KILL %s", (connection,))
        while root.execute("SELECT 1 FROM information_schema.processlist WHERE db IS NOT NULL"):
            pass  # they end one by one
        with pytest.raises(ServerError, match="Too many connections"):  # noqa: PT012 (a loop)
            while True:
                held.enter_context(server.root.connect())
        yield


def test_a_full_server(server: Server, client: http.client.HTTPConnection) -> None:
    before = view(client)
    with full(server):
        check_that_it_says_so(client)
    assert view_once_back(client) == before + 1


def test_no_password_is_in_the_log_of_an_outage(
    server: Server, app: Serving, client: http.client.HTTPConnection
) -> None:
    with full(server):
        assert ask(client, "/", "text/html")[0].status == 503
    logged = app.log.read_text()
    assert "Too many connections" in logged
    assert server.root.password[:16] not in logged
