"""What one view costs, against the bare statement that it cannot do without.

    .venv/bin/python -m benchmarks.one_at_a_time [--rounds 7] [--each 300] [--mysqld=PROGRAM]

One client, one request at a time, over HTTP to the app under uvicorn, in turns with a
loop of PyMySQL's `UPDATE; COMMIT` on the same server, which flushes each commit to disk
as a server in production does. The client writes and reads its socket itself, as Python's
own HTTP client would take half as long as the app. Prints the medians and their ratio; the
aim is at most 3.
"""

import argparse
import os
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import db
from harness.database import throwaway_database
from harness.migrations import migrate
from harness.process import free_port, serving
from harness.run import RunServer

PROJECT = Path(__file__).resolve().parents[1]
AIM = 3.0
REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/html\r\n\r\n"


def milliseconds(each: int, once: Callable[[], None]) -> float:
    """Return the median time of one call out of `each`."""
    times = []
    for _ in range(each):
        start = time.perf_counter()
        once()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000


def main() -> None:
    """Measure, and print a line a round and the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--each", type=int, default=300)
    parser.add_argument("--mysqld", default="")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        server = RunServer(options.mysqld, durable=True)
        try:
            with throwaway_database(server.root, "benchmark") as coordinates:
                migrate(db.url(coordinates, "mysql+pymysql"), PROJECT / "alembic.ini")
                environ = {**os.environ, **coordinates.environ()}
                port = free_port()
                argv = [sys.executable, "-m", "uvicorn", "--no-access-log", "--port", str(port)]
                log = Path(folder) / "log"
                with serving([*argv, "manage:app"], port, environ, PROJECT, log):
                    measure(server, coordinates["DATABASE_NAME"], port, options)
        finally:
            server.close()


def measure(server: RunServer, database: str, port: int, options: argparse.Namespace) -> None:
    """Run the rounds, the two in turns."""
    link = socket.create_connection(("127.0.0.1", port))
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection = server.root.connect()
    connection.select_db(database)
    connection.autocommit(False)  # noqa: FBT003 (the driver's way)
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE bare (id INT PRIMARY KEY, count INT)")
    cursor.execute("INSERT INTO bare VALUES (1, 0)")

    def view() -> None:
        link.sendall(REQUEST)
        answer = b""
        while not answer.endswith(b"</html>"):
            part = link.recv(65536)
            if not part:
                raise ConnectionError(f"the app ended the connection after {answer!r}")
            answer += part

    def bare() -> None:
        cursor.execute("UPDATE bare SET count = count + 1 WHERE id = 1")
        connection.commit()

    milliseconds(options.each, view)  # the first ones warm up
    milliseconds(options.each, bare)
    print(f"{server.program}, Python {sys.version.split()[0]}, {os.cpu_count()} processors")
    rounds = []
    for number in range(options.rounds):
        rounds.append((milliseconds(options.each, view), milliseconds(options.each, bare)))
        print("round {}: a view {:.3f} ms, the bare loop {:.3f} ms".format(number + 1, *rounds[-1]))
    ratio = statistics.median(view / bare for view, bare in rounds)
    print(f"a view costs {ratio:.2f} times the bare loop (median of rounds; aim: at most {AIM})")


if __name__ == "__main__":
    main()
