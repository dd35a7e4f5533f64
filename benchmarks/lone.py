"""What one hit and one page cost, against the bare statement that neither can do without.

One client, one request at a time, in turns with a loop of PyMySQL's `UPDATE; COMMIT` on
the same server, which flushes each commit to disk. The client writes and reads its socket
itself, as Python's own HTTP client would take half as long as the app.
"""

import re
import socket
import time
from collections.abc import Callable, Iterator

from benchmarks import VoidError
from benchmarks.contestants import CONTESTANTS, Contestant
from benchmarks.samples import Sample
from benchmarks.stage import Stage

LENGTH = re.compile(rb"content-length: (\d+)", re.I)
TURNS = "lone hit", "lone page", "lone bare"
TABLE = "CREATE TABLE bare (id INT PRIMARY KEY, count INT NOT NULL)"


class Link:
    """A client's connection, which asks the same again and again."""

    def __init__(self, port: int, contestant: Contestant) -> None:
        head = f"{contestant.method} {contestant.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        self._request = f"{head}Accept: */*\r\n\r\n".encode()
        self._link = socket.create_connection(("127.0.0.1", port))
        self._link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self) -> None:
        """Send the request and read its answer; raises VoidError unless it is a success."""
        self._link.sendall(self._request)
        answer = b""
        while not _is_whole(answer):
            part = self._link.recv(65536)
            if not part:
                raise VoidError(f"the app ended the connection after {answer!r}")
            answer += part
        if not answer.startswith(b"HTTP/1.1 200"):
            raise VoidError(f"a lone client was answered {answer!r}")

    def close(self) -> None:
        """End the connection."""
        self._link.close()


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    length = LENGTH.search(head)
    return bool(end) and length is not None and len(body) == int(length[1])


def measure(stage: Stage, rounds: int, each: int) -> Iterator[Sample]:
    """Yield a sample of each of the three in each round, after a round that warms up."""
    hit, page = (
        Link(stage.ports[contestant.server], contestant)
        for contestant in (CONTESTANTS["hits"], CONTESTANTS["page"])
    )
    with stage.connection.cursor() as cursor:
        cursor.execute(TABLE)
        cursor.execute("INSERT INTO bare VALUES (1, 0)")

        def bare() -> None:
            cursor.execute("UPDATE bare SET count = count + 1 WHERE id = 1")
            stage.connection.commit()

        stage.connection.autocommit(False)  # noqa: FBT003 (the driver's way)
        for number in range(rounds + 1):
            times = _in_turns(each, hit.ask, page.ask, bare)
            samples = (
                _sample(stage.engine, name, number, of_one)
                for name, of_one in zip(TURNS, times, strict=True)
            )
            yield from samples if number else ()
        stage.connection.autocommit(True)  # noqa: FBT003
    hit.close()
    page.close()


def _in_turns(each: int, *asks: Callable[[], None]) -> list[list[float]]:
    """Ask one after the other, so many times each; return the milliseconds that each took.

    The machine's speed changes from second to second: they take turns with every request.
    """
    times: list[list[float]] = [[] for _ in asks]
    for _ in range(each):
        for ask, of_one in zip(asks, times, strict=True):
            before = time.perf_counter()
            ask()
            of_one.append(1000 * (time.perf_counter() - before))
    return times


def _sample(engine: str, name: str, number: int, times: list[float]) -> Sample:
    seconds = sum(times) / 1000
    times.sort()
    p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
    return Sample(engine, name, 1, number, len(times), seconds, p50, p99)
