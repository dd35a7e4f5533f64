"""The cost of one hit and of one page, compared with the bare statement that both need.

They take turns, as all depend on the speed of the disk. The client uses a bare socket, as Python's
HTTP client would take half as long as the app.
"""

import socket
import time
from collections.abc import Callable
from contextlib import ExitStack

from benchmarks.frame import InvalidError, Measures
from benchmarks.service.contestants import CONTESTANTS
from benchmarks.service.environment import Environment

TURNS = 300  # of each, in a round


def measure(environment: Environment) -> Measures:
    """Return p50 and p99 in milliseconds of a hit, a page and PyMySQL's `UPDATE; COMMIT`."""
    with ExitStack() as stack:
        connection = stack.enter_context(environment.server.root.connect())
        connection.select_db("bench")
        connection.autocommit(False)  # noqa: FBT003 (the driver's way)
        cursor = stack.enter_context(connection.cursor())

        def update() -> None:
            cursor.execute("UPDATE bare SET count = count + 1 WHERE id = 1")
            connection.commit()

        hit, page = (_asking(environment, name, stack) for name in ("hits", "page"))
        turns = {"hit": hit, "page": page, "bare": update}
        times: dict[str, list[float]] = {name: [] for name in turns}
        for _ in range(TURNS):
            for name, turn in turns.items():
                before = time.perf_counter()
                turn()
                times[name].append(1000 * (time.perf_counter() - before))
    percents = [(name, percent) for name in turns for percent in (50, 99)]
    return {
        f"{name} p{percent}": sorted(times[name])[TURNS * percent // 100]
        for name, percent in percents
    }


def _asking(environment: Environment, name: str, stack: ExitStack) -> Callable[[], None]:
    """Connect to a contestant; return a function that sends a request and reads the answer."""
    contestant = CONTESTANTS[name]
    address = "127.0.0.1", environment.ports[contestant.command]
    head = f"{contestant.method} {contestant.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    request = f"{head}Accept: */*\r\n\r\n".encode()
    link = stack.enter_context(socket.create_connection(address))
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    answer = stack.enter_context(link.makefile("rb"))

    def ask() -> None:
        link.sendall(request)
        status, length = answer.readline(), 0
        while (line := answer.readline()) > b"\r\n":
            if line.lower().startswith(b"content-length:"):
                length = int(line[15:])
        if len(answer.read(length)) < length or not status.startswith(b"HTTP/1.1 200"):
            raise InvalidError(f"a lone client was answered {status!r}")

    return ask
