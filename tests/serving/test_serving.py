"""The app served by real processes: exact under load, and ended cleanly."""

import http.client
import signal
import socket
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from pathlib import Path
from threading import Barrier

import pytest

import settings
from counter.testing import stored_count, view
from tests.support.databases import connected
from tests.support.project import PROGRAMS, PROJECT, Environ, run
from tests.support.serving import WITHIN, Serving, free_port, serving
from throwaway_mysql import Database

PRODUCTION = "uvicorn --http web.http1:Protocol"
SERVERS = {
    "quart run": "quart run",  # at HOST and PORT
    "uvicorn": f"{PRODUCTION} --port {{port}} manage:app",
    "uvicorn, two workers": f"{PRODUCTION} --workers 2 --port {{port}} manage:app",
    "hypercorn": "hypercorn --bind 127.0.0.1:{port} manage:app",
    "hypercorn, two workers": "hypercorn --workers 2 --bind 127.0.0.1:{port} manage:app",
}

Serve = Callable[[str], AbstractContextManager[Serving]]


@pytest.fixture
def serve(fresh_db: Database, server_environ: Environ, tmp_path: Path) -> Serve:
    """Return a function that serves the app by one of SERVERS."""

    def start(server: str) -> AbstractContextManager[Serving]:
        port = free_port()
        program, *arguments = SERVERS[server].format(port=port).split()
        own = {"HOST": "localhost", "PORT": str(port)}
        environ = {**server_environ, **fresh_db.environ(), **own}
        # Reading `.quartenv` has put these into our environment, where they would win.
        for name in ("QUART_RUN_HOST", "QUART_RUN_PORT"):
            environ.pop(name, None)
        return serving([PROGRAMS / program, *arguments], port, environ, PROJECT, tmp_path / "log")

    return start


def views(app: Serving, clients: int, times: int) -> list[int]:
    """Return the numbers shown to clients who view the page concurrently, so many times in all."""
    turns = iter(range(times))
    together = Barrier(clients)

    def run(_: int) -> list[int]:
        with closing(http.client.HTTPConnection("127.0.0.1", app.port, timeout=120)) as client:
            together.wait(WITHIN)
            return [view(client) for _ in turns]

    with ThreadPoolExecutor(clients) as pool:
        return [number for numbers in pool.map(run, range(clients)) for number in numbers]


@pytest.mark.parametrize("server", ["uvicorn", "uvicorn, two workers"])
def test_2000_views_by_32_clients_at_once_get_the_numbers_1_to_2000(
    serve: Serve, fresh_db: Database, server: str
) -> None:
    with serve(server) as app:
        assert sorted(views(app, clients=32, times=2000)) == list(range(1, 2001))
    with connected(fresh_db) as connection:
        assert stored_count(connection) == 2000


@pytest.mark.parametrize(
    "server",
    [pytest.param(server, marks=pytest.mark.slow if "two" in server else []) for server in SERVERS],
)
def test_every_server_serves_the_app_and_ends_cleanly(serve: Serve, server: str) -> None:
    with serve(server) as app:
        assert sorted(views(app, clients=4, times=20)) == list(range(1, 21))
        status = app.end()
        logged = app.log.read_text()
    assert "Traceback" not in logged, logged
    assert server != "quart run" or "Running on http://localhost:" in logged  # as HOST says
    assert status in (0, 130, -2), (status, logged)  # uvicorn ends by the signal it got


def test_a_taken_port_is_one_line_that_says_what_to_do(
    fresh_db: Database, server_environ: Environ
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        environ = server_environ | fresh_db.environ()
        done = run(environ, "quart", "run", "--host", "127.0.0.1", "--port", port)
    assert done.returncode == 1
    # Another line warns of the tests' server, which does not flush.
    logged = [line for line in done.stderr.splitlines() if "innodb_flush" not in line]
    assert len(logged) == 1, done.stderr
    assert logged[0].startswith(f"127.0.0.1:{port}: Address already in use: stop what listens")


@pytest.mark.parametrize("server", ["quart run", "uvicorn", "hypercorn"])
def test_a_server_without_its_database_ends_with_one_line(
    server: str, server_environ: Environ
) -> None:
    nowhere = {"DB_PORT": str(free_port()), "DB_WAIT": "0", "DB_PASSWORD": "never-shown"}
    command = SERVERS[server].format(port=free_port())
    done = run(server_environ | nowhere, *command.split())
    lines = [line for line in done.stderr.splitlines() if not line.startswith("INFO:")]
    assert len(lines) == 1, done.stderr
    target = f"{server_environ['DB_HOST']}:"
    assert lines[0].startswith(f"No database {settings.DATABASE_NAME} at {target}"), done.stderr
    assert "never-shown" not in done.stderr + done.stdout


@pytest.mark.parametrize(
    ("server", "number"), [("quart run", signal.SIGINT), ("uvicorn", signal.SIGTERM)]
)
def test_a_start_that_waits_for_its_database_can_be_ended(
    server: str, number: signal.Signals, server_environ: Environ
) -> None:
    program, *arguments = SERVERS[server].format(port=free_port()).split()
    with socket.create_server(("127.0.0.1", 0)) as stranger:  # greets nobody
        environ = {"DB_HOST": "127.0.0.1", "DB_PORT": str(stranger.getsockname()[1])}
        with subprocess.Popen(
            [PROGRAMS / program, *arguments], cwd=PROJECT, env=server_environ | environ
        ) as waiting:
            refused, _ = stranger.accept()
            refused.close()
            held, _ = stranger.accept()  # it has tried again, so it waits
            waiting.send_signal(number)
            assert waiting.wait(WITHIN) == -number
            held.close()
