"""The app as real processes serve it: exact under load, and ended cleanly."""

import http.client
import json
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from pathlib import Path
from threading import Barrier

import pytest

import settings
from counter.testing import stored_count, view
from tests.support.databases import connected
from tests.support.project import PROGRAMS, PROJECT
from tests.support.serving import WITHIN, Serving, free_port, serving
from throwaway_mysql import Database

PRODUCTION = "uvicorn --http web.http1:Protocol"
SERVERS = {
    "quart run": "quart run --port {port}",
    "uvicorn": f"{PRODUCTION} --port {{port}} manage:app",
    "uvicorn, two workers": f"{PRODUCTION} --workers 2 --port {{port}} manage:app",
    "hypercorn": "hypercorn --bind 127.0.0.1:{port} manage:app",
    "hypercorn, two workers": "hypercorn --workers 2 --bind 127.0.0.1:{port} manage:app",
}

LIVE = "/health/live"

# Each line of uvicorn's log begins with the id of the process that wrote it.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"by_process": {"format": "%(process)d %(levelname)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "by_process"}},
    "root": {"level": "INFO", "handlers": ["stderr"]},
}

Serve = Callable[[str], AbstractContextManager[Serving]]


@pytest.fixture
def serve(fresh_db: Database, server_environ: dict[str, str], tmp_path: Path) -> Serve:
    """Return a function that serves the app by one of SERVERS."""
    logging = tmp_path / "logging.json"

    def start(server: str) -> AbstractContextManager[Serving]:
        port = free_port()
        program, *arguments = SERVERS[server].format(port=port).split()
        logging.write_text(json.dumps(LOGGING))
        environ = {**server_environ, **fresh_db.environ(), "UVICORN_LOG_CONFIG": str(logging)}
        return serving([PROGRAMS / program, *arguments], port, environ, PROJECT, tmp_path / "log")

    return start


def served_by(app: Serving, path: str) -> set[str]:
    """Return the ids of uvicorn's processes that answered GET for the path."""
    logged = app.log.read_text().splitlines()
    return {line.split()[0] for line in logged if f"GET {path} " in line}


def connect(app: Serving, number: int, workers: int = 1) -> list[http.client.HTTPConnection]:
    """Connect clients to the app, some to each worker, of which the last may still start."""
    deadline = time.monotonic() + WITHIN
    clients: list[http.client.HTTPConnection] = []
    while len(clients) < number or (workers > 1 and len(served_by(app, LIVE)) < workers):
        assert time.monotonic() < deadline, "not every worker serves"
        if len(clients) == number:
            clients.pop(0).close()
        clients.append(http.client.HTTPConnection("127.0.0.1", app.port, timeout=120))
        clients[-1].request("GET", LIVE)
        clients[-1].getresponse().read()
    return clients


def views(clients: list[http.client.HTTPConnection], times: int) -> list[int]:
    """Return the numbers that the clients are shown, who view so many times in all, at once."""
    turns = iter(range(times))
    together = Barrier(len(clients))

    def run(client: http.client.HTTPConnection) -> list[int]:
        with closing(client):
            together.wait(WITHIN)
            return [view(client) for _ in turns]

    with ThreadPoolExecutor(len(clients)) as pool:
        return [number for numbers in pool.map(run, clients) for number in numbers]


@pytest.mark.parametrize(("server", "workers"), [("uvicorn", 1), ("uvicorn, two workers", 2)])
def test_2000_views_by_32_clients_at_once_get_the_numbers_1_to_2000(
    serve: Serve, fresh_db: Database, server: str, workers: int
) -> None:
    with serve(server) as app:
        numbers = views(connect(app, 32, workers), times=2000)
        assert len(served_by(app, "/")) == workers
    assert [n for n, times in Counter(numbers).items() if times > 1] == []
    assert sorted(numbers) == list(range(1, 2001))
    with connected(fresh_db) as connection:
        assert stored_count(connection) == 2000


@pytest.mark.parametrize(
    "server",
    [pytest.param(server, marks=pytest.mark.slow if "two" in server else []) for server in SERVERS],
)
def test_every_server_serves_the_app_and_ends_cleanly(serve: Serve, server: str) -> None:
    with serve(server) as app:
        assert sorted(views(connect(app, 4), times=20)) == list(range(1, 21))
        status = app.end()
        logged = app.log.read_text()
    assert "Traceback" not in logged, logged
    assert status in (0, 130, -2), (status, logged)  # uvicorn ends by the signal it got


def test_quart_run_serves_where_host_and_port_say(
    fresh_db: Database, server_environ: dict[str, str], tmp_path: Path
) -> None:
    port = free_port()
    environ = server_environ | fresh_db.environ() | {"HOST": "localhost", "PORT": str(port)}
    # Reading `.quartenv` has put these into ours, where they would win.
    for name in ("QUART_RUN_HOST", "QUART_RUN_PORT"):
        environ.pop(name, None)
    with serving([PROGRAMS / "quart", "run"], port, environ, PROJECT, tmp_path / "log") as app:
        app.end()
        assert f"Running on http://localhost:{port} " in app.log.read_text()


def test_a_taken_port_is_one_line_that_says_what_to_do(
    fresh_db: Database, server_environ: dict[str, str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        done = subprocess.run(
            [PROGRAMS / "quart", "run", "--host", "127.0.0.1", "--port", port],
            cwd=PROJECT,
            env=server_environ | fresh_db.environ(),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    # Another line warns of the tests' server, which does not flush.
    logged = [line for line in done.stderr.splitlines() if "innodb_flush" not in line]
    assert len(logged) == 1, done.stderr
    assert logged[0].startswith(f"127.0.0.1:{port}: Address already in use: stop what listens")


def test_the_shell_has_the_app(server_environ: dict[str, str], fresh_db: Database) -> None:
    done = subprocess.run(
        [PROGRAMS / "quart", "shell"],
        input="print(app.config['DATABASE_NAME'])\n",
        cwd=PROJECT,
        env={**server_environ, **fresh_db.environ()},
        capture_output=True,
        text=True,
        check=True,
    )
    assert fresh_db["DATABASE_NAME"] in done.stdout


@pytest.mark.parametrize("server", ["quart run", "uvicorn", "hypercorn"])
def test_a_server_without_its_database_ends_with_one_line(
    server: str, server_environ: dict[str, str]
) -> None:
    port = free_port()
    program, *arguments = SERVERS[server].format(port=port).split()
    done = subprocess.run(
        [PROGRAMS / program, *arguments],
        cwd=PROJECT,
        env=server_environ
        | {"DB_PORT": str(free_port()), "DB_WAIT": "0", "DB_PASSWORD": "never-shown"},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in done.stderr.splitlines() if not line.startswith("INFO:")]
    assert len(lines) == 1, done.stderr
    target = f"{server_environ['DB_HOST']}:"
    assert lines[0].startswith(f"No database {settings.DATABASE_NAME} at {target}"), done.stderr
    assert "never-shown" not in done.stderr + done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
@pytest.mark.parametrize("server", ["quart run", "uvicorn"])
def test_a_start_that_waits_for_its_database_can_be_ended(
    server: str, number: signal.Signals, server_environ: dict[str, str]
) -> None:
    program, *arguments = SERVERS[server].format(port=free_port()).split()
    with socket.create_server(("127.0.0.1", 0)) as stranger:  # greets nobody
        environ = {"DB_HOST": "127.0.0.1", "DB_PORT": str(stranger.getsockname()[1])}
        with subprocess.Popen(
            [PROGRAMS / program, *arguments], cwd=PROJECT, env=server_environ | environ
        ) as waiting:
            refused, _ = stranger.accept()
            refused.close()
            held, _ = stranger.accept()  # it tries again: it waits
            waiting.send_signal(number)
            assert waiting.wait(WITHIN) == -number
            held.close()
