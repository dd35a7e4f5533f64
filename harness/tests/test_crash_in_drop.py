"""A server that crashes while it drops a database: what it left of that is dropped by a sweep."""

import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from signal import SIGKILL

from throwaway_mysql.databases.ownership import Run
from throwaway_mysql.databases.sweep import sweep
from throwaway_mysql.servers.run import RunServer
from throwaway_mysql.testing.looking import databases, run, wait_until

Start = Callable[..., tuple["subprocess.Popen[str]", str]]

TABLES = 200  # named so that MariaDB, which drops one after the other, has the marker's turn before


def test_what_a_server_was_dropping_when_it_crashed_goes(
    mysql_program: str, start_run: Start
) -> None:
    with closing(RunServer(mysql_program)) as server, ThreadPoolExecutor(1) as pool:
        process, name = start_run(server.root, "crash_test_")
        run(server.root, name, *(f"CREATE TABLE z{number} (n INT)" for number in range(TABLES)))
        process.kill()
        process.wait()
        files = server.folder / "data" / name
        before = len(list(files.iterdir()))
        dropping = pool.submit(sweep, server.root, Run.begin("crash_test_"))
        wait_until(lambda: len(list(files.iterdir())) < before - 20)
        server.stop(SIGKILL)
        assert dropping.result().dropped == []
        server.start()
        sweep(server.root, Run.begin("crash_test_"))
        assert name not in databases(server.root)
