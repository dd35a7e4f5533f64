"""The app as real processes serve it: exact under load, and ended cleanly."""

import http.client
import signal
import socket
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from harness.database import Coordinates
from harness.login import Login
from harness.process import Serving, free_port, serving
from testing import PROGRAMS, PROJECT, connected, migrated_database, stored_count, view

SERVERS = {
    "quart run": "quart run --port {port}",
    "uvicorn": "uvicorn --port {port} manage:app",
    "uvicorn, two workers": "uvicorn --workers 2 --port {port} manage:app",
    "hypercorn": "hypercorn --bind 127.0.0.1:{port} manage:app",
    "hypercorn, two workers": "hypercorn --workers 2 --bind 127.0.0.1:{port} manage:app",
}

Serve = Callable[[str], AbstractContextManager[Serving]]


@pytest.fixture
def fresh_db(mysql_login: Login) -> Iterator[Coordinates]:
    """Make a migrated database for one test."""
    with migrated_database(mysql_login) as coordinates:
        yield coordinates


@pytest.fixture
def serve(fresh_db: Coordinates, server_environ: dict[str, str], tmp_path: Path) -> Serve:
    """Return a function that serves the app by one of SERVERS."""

    def start(server: str) -> AbstractContextManager[Serving]:
        port = free_port()
        program, *arguments = SERVERS[server].format(port=port).split()
        environ = {**server_environ, **fresh_db.environ()}
        return serving([PROGRAMS / program, *arguments], port, environ, PROJECT, tmp_path / "log")

    return start


def views(port: int, clients: int, each: int) -> list[int]:
    """Return the numbers that `clients` at once are shown, `each` viewing so many times."""

    def client(_: int) -> list[int]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            return [view(connection) for _ in range(each)]
        finally:
            connection.close()

    with ThreadPoolExecutor(clients) as pool:
        return [number for numbers in pool.map(client, range(clients)) for number in numbers]


@pytest.mark.parametrize("server", ["uvicorn", "uvicorn, two workers"])
def test_2000_views_by_32_clients_at_once_get_the_numbers_1_to_2000(
    serve: Serve, fresh_db: Coordinates, server: str
) -> None:
    with serve(server) as app:
        first = views(app.port, clients=16, each=1)  # 16 + 32 * 62 = 2000
        numbers = first + views(app.port, clients=32, each=62)
    assert len(numbers) == 2000
    assert [n for n, times in Counter(numbers).items() if times > 1] == []
    assert sorted(numbers) == list(range(1, 2001))
    with connected(fresh_db) as connection:
        assert stored_count(connection) == 2000


@pytest.mark.parametrize("server", SERVERS)
def test_every_server_serves_the_app_and_ends_cleanly(serve: Serve, server: str) -> None:
    with serve(server) as app:
        assert sorted(views(app.port, clients=4, each=5)) == list(range(1, 21))
        status = app.end()
        said = app.log.read_text()
    assert "Traceback" not in said, said
    assert status in (0, 130, -2), (status, said)  # uvicorn ends by the signal it got


def test_the_shell_has_the_app(server_environ: dict[str, str], fresh_db: Coordinates) -> None:
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
        env={**server_environ, "DB_PORT": str(free_port()), "DB_WAIT": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in done.stderr.splitlines() if not line.startswith("INFO:")]
    assert len(lines) == 1, done.stderr
    place = f"{server_environ['DB_HOST']}:"
    assert lines[0].startswith(f"No database counter at {place}"), done.stderr
    assert server_environ["DB_PASSWORD"] not in done.stderr + done.stdout


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
            assert waiting.wait(5) == -number
            held.close()
