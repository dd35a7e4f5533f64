"""What one view costs, against the bare statement that it cannot do without.

    .venv/bin/python benchmarks/one_at_a_time.py [--rounds 7] [--each 300] [--mysqld=PROGRAM]

One client, one request at a time, over HTTP to the app under uvicorn, in turns with a
loop of PyMySQL's `UPDATE; COMMIT` on the same server, which flushes each commit to disk
as a server in production does. Prints the medians and their ratio; the aim is at most 3.
"""

import argparse
import http.client
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))

import db  # noqa: E402 (the path comes first)
from harness.database import throwaway_database  # noqa: E402
from harness.migrations import migrate  # noqa: E402
from harness.process import free_port, serving  # noqa: E402
from harness.run import RunServer  # noqa: E402

AIM = 3.0


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
    client = http.client.HTTPConnection("127.0.0.1", port)
    connection = server.root.connect()
    connection.select_db(database)
    connection.autocommit(False)  # noqa: FBT003 (the driver's way)
    cursor = connection.cursor()

    def view() -> None:
        client.request("GET", "/")
        client.getresponse().read()

    def bare() -> None:
        cursor.execute("UPDATE counter SET count = count + 1 WHERE id = 1")
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
