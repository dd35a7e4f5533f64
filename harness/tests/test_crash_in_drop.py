"""A server that crashes while it drops a database: what it left of that is dropped by a sweep."""

import subprocess
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from signal import SIGKILL

from throwaway_mysql.databases.ownership import Run
from throwaway_mysql.databases.sweep import Swept, sweep
from throwaway_mysql.login import Login
from throwaway_mysql.servers.run import RunServer
from throwaway_mysql.testing.looking import databases, run, unused, wait_until

Start = Callable[..., tuple["subprocess.Popen[str]", str]]

PREFIX = "crash_test_"
TABLES = 200  # named so that MariaDB, which drops one after the other, has the marker's turn before


def left_behind(login: Login, start_run: Start) -> str:
    """Return the name of a database that a killed run left."""
    process, name = start_run(login, PREFIX)
    run(login, name, *(f"CREATE TABLE z{number} (n INT)" for number in range(TABLES)))
    process.kill()
    process.wait()
    wait_until(lambda: unused(login, name, PREFIX))
    return name


def files_in(folder: Path) -> int:
    """Return how many files are in a folder, which may go just then."""
    try:
        return len(list(folder.iterdir()))
    except FileNotFoundError:
        return 0


def freeze_in_drop(server: RunServer, name: str, pool: ThreadPoolExecutor) -> Future[Swept] | None:
    """Have a sweep drop a database, and freeze the server in that; None if it was quicker."""
    files = server.folder / "data" / name
    before = files_in(files)
    dropping = pool.submit(sweep, server.root, Run.begin(PREFIX))
    wait_until(lambda: files_in(files) < before - 20)
    server.freeze()
    if files_in(files):
        return dropping
    server.thaw()
    dropping.result()
    return None


def test_what_a_server_was_dropping_when_it_crashed_goes(
    mysql_program: str, start_run: Start
) -> None:
    with closing(RunServer(mysql_program)) as server, ThreadPoolExecutor(1) as pool:
        dropping = None
        while not dropping:
            name = left_behind(server.root, start_run)
            dropping = freeze_in_drop(server, name, pool)
        server.stop(SIGKILL)
        assert dropping.result().dropped == []
        server.start()
        sweep(server.root, Run.begin(PREFIX))
        assert name not in databases(server.root)
