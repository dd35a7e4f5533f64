"""What one hit and one page cost, against the bare statement that neither can do without.

One client, one request at a time, in turns with a loop of PyMySQL's `UPDATE; COMMIT` on the
same server, which flushes each commit to disk. The client writes and reads its socket itself, as
Python's own HTTP client would take half as long as the app.
"""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks.frame import InvalidError, Measures
from benchmarks.service.contestants import CONTESTANTS
from benchmarks.service.environment import Environment


def measure(environment: Environment, requests: int) -> Measures:
    """Return p50 and p99 in milliseconds of a hit, a page and a bare statement."""
    with (
        asking(environment, "hits") as hit,
        asking(environment, "page") as page,
        updating(environment) as bare,
    ):
        turns = {"hit": hit, "page": page, "bare": bare}
        times: dict[str, list[float]] = {name: [] for name in turns}
        for _ in range(requests):
            for name, turn in turns.items():
                before = time.perf_counter()
                turn()
                times[name].append(1000 * (time.perf_counter() - before))
    return {
        f"{name} p{percent}": sorted(of_one)[len(of_one) * percent // 100]
        for name, of_one in times.items()
        for percent in (50, 99)
    }


@contextmanager
def updating(environment: Environment) -> Iterator[Callable[[], None]]:
    """Yield what sends the bare statement and its COMMIT."""
    connection = environment.connection
    connection.autocommit(False)  # noqa: FBT003 (the driver's way)
    with connection.cursor() as cursor:

        def update() -> None:
            cursor.execute("UPDATE bare SET count = count + 1 WHERE id = 1")
            connection.commit()

        yield update
    connection.autocommit(True)  # noqa: FBT003


@contextmanager
def asking(environment: Environment, name: str) -> Iterator[Callable[[], None]]:
    """Open a connection to a contestant; yield what asks it once and reads the answer."""
    contestant = CONTESTANTS[name]
    head = f"{contestant.method} {contestant.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    request = f"{head}Accept: */*\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", environment.ports[contestant.command])) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answer = link.makefile("rb")

        def ask() -> None:
            link.sendall(request)
            status, length = answer.readline(), 0
            while (line := answer.readline()) > b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line[15:])
            if len(answer.read(length)) < length or not status.startswith(b"HTTP/1.1 200"):
                raise InvalidError(f"a lone client was answered {status!r}")

        yield ask
