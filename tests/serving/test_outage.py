"""The database goes away while the app runs, and comes back."""

import http.client
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from signal import Signals

import pytest

from counter.testing import view
from tests.support.databases import migrated_database
from tests.support.project import PROJECT, UVICORN
from tests.support.serving import Serving, free_port, frozen, serving
from throwaway_mysql import Server

DB_TIMEOUT = 3  # seconds; by default 4, for answers within 5
WITHIN = 3.5 * DB_TIMEOUT  # if requests waited for each other, it would be 4 times
BACK_WITHIN = 60.0

Away = Callable[[Server], AbstractContextManager[None]]


@pytest.fixture(scope="module")
def server(mysql_program: str) -> Iterator[Server]:
    """Start the module's own server, as other tests must not lose theirs."""
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
    """Return the answer, its body and the seconds that it took."""
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


@contextmanager
def killed(server: Server) -> Iterator[None]:
    """Kill the server, and restart it on its data when the block ends."""
    server.stop(Signals.SIGKILL)
    try:
        yield
    finally:
        server.start()


def hung(server: Server) -> AbstractContextManager[None]:
    """Suspend the server until the block ends."""
    return frozen(server.pid)


@pytest.mark.parametrize("away", [killed, hung])
def test_a_server_that_went_away_and_returned(
    server: Server, app: Serving, client: http.client.HTTPConnection, away: Away
) -> None:
    # Four times as many as the pool has connections.
    clients = [http.client.HTTPConnection("127.0.0.1", app.port, timeout=120) for _ in range(40)]
    before = view(client)
    with away(server):
        for path, accept, words in (
            ("/", "text/html", "<h1>Service Unavailable</h1>"),
            ("/health/ready", "application/problem+json", '"status":503'),
        ):
            response, body, seconds = ask(client, path, accept)
            assert response.status == 503
            assert response.headers["Content-Type"].startswith(accept)
            assert int(response.headers["Retry-After"]) > 0
            assert words in body
            assert seconds < WITHIN
        assert ask(client, "/health/live", "application/json")[0].status == 200
        start = time.monotonic()
        for each in clients:
            each.request("GET", "/")
        answers = [each.getresponse() for each in clients]
        assert time.monotonic() - start < WITHIN
        assert {answer.status for answer in answers} == {503}
        assert all(answer.headers["Retry-After"] for answer in answers)
    for each in clients:
        each.close()
    after = view_once_back(client)
    # A view that timed out while the server hung may have been counted: it was in flight.
    assert before + 1 <= after <= before + 1 + (1 + len(clients) if away is hung else 0)
    assert server.root.password[:16] not in app.log.read_text()
