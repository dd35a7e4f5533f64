"""A look at processes and databases, for tests that see whether anything was left."""

import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from throwaway_mysql.login import Login

WITHIN = 10.0  # seconds; no step takes longer
# What a server that is being made has among its arguments: MariaDB or MySQL.
MOMENTS = {
    "its system tables": r" --(bootstrap|initialize-insecure)\b",
    "its accounts": r" --skip-networking\b",
}


def processes(folder: Path) -> list[str]:
    """Return the command lines that name a folder."""
    argv = ["ps", "-ww", "-A", "-o", "args="]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    return [line for line in said.splitlines() if str(folder) in line]


def server_runs(folder: Path, flag: str) -> bool:
    """Tell whether a server with that flag, and not only its guard, runs in a folder."""
    servers = [line for line in processes(folder) if "guard.py" not in line]
    return any(re.search(flag, line) for line in servers)


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for what no event tells of."""
    deadline = time.monotonic() + WITHIN
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("it takes too long")
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Tell whether a process runs."""
    return subprocess.run(["ps", "-p", str(pid)], capture_output=True, check=False).returncode == 0  # noqa: S607


def databases(login: Login) -> set[str]:
    """Return the names of the server's databases."""
    with login.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SHOW DATABASES")
        return {name for (name,) in cursor.fetchall()}
