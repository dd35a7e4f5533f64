"""The server of a test run lives exactly as long as the run."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import ServerError
from harness.login import Answer, Login
from harness.run import RunServer

PROJECT = Path(__file__).parents[1]
GONE_WITHIN = 10.0  # seconds

HOLDER = """
import sys, time
from harness.run import RunServer
server = RunServer(sys.argv[1])
print(server.root.port, server.pid, server.folder, flush=True)
time.sleep(600)
"""


@pytest.fixture
def server(mysql_program: str) -> Iterator[RunServer]:
    """Start a server."""
    server = RunServer(mysql_program)
    yield server
    server.close()


ELSEWHERE = "harness.run._roomy = lambda: sys.argv[2]"


def processes() -> str:
    """Return the command lines of all that runs."""
    argv = ["ps", "-ww", "-A", "-o", "args="]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def alive(pid: int) -> bool:
    """Tell whether a process runs."""
    return subprocess.run(["ps", "-p", str(pid)], capture_output=True, check=False).returncode == 0  # noqa: S607


def wait_until_gone(pid: int, folder: Path) -> None:
    """Wait for the end of a server and of its data."""
    deadline = time.monotonic() + GONE_WITHIN
    while alive(pid) or folder.exists():
        assert time.monotonic() < deadline, (alive(pid), list(folder.glob("*")))
        time.sleep(0.02)


def test_close_leaves_nothing(server: RunServer) -> None:
    assert server.root.answer() is Answer.SERVICE
    server.close()
    assert not alive(server.pid)
    assert not server.folder.exists()
    assert server.root.answer() is Answer.NOTHING


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL], ids=lambda by: by.name)
def test_it_is_stopped_and_started_with_its_data(server: RunServer, by: signal.Signals) -> None:
    with server.root.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE kept")
    server.stop(by)
    assert server.root.answer() is Answer.NOTHING
    server.start()
    with server.root.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SHOW DATABASES LIKE 'kept'")
        assert cursor.fetchall() == (("kept",),)


@pytest.mark.parametrize("after", [0.1, 0.4])
def test_nothing_outlives_a_run_that_is_killed_while_it_makes_its_server(
    mysql_program: str, tmp_path: Path, after: float
) -> None:
    holder = HOLDER.replace("import sys, time", f"import sys, time, harness.run\n{ELSEWHERE}")
    with subprocess.Popen(
        [sys.executable, "-c", holder, mysql_program, str(tmp_path)], cwd=PROJECT
    ) as run:
        while not list(tmp_path.glob("harness-*/data")):
            time.sleep(0.005)
        time.sleep(after)  # any moment will do: these are some
        run.kill()
    deadline = time.monotonic() + GONE_WITHIN
    while str(tmp_path) in processes():
        assert time.monotonic() < deadline, "a process lives on"
        time.sleep(0.02)


@pytest.mark.parametrize("frozen", [False, True], ids=["running", "stopped by SIGSTOP"])
def test_nothing_outlives_a_killed_run(mysql_program: str, *, frozen: bool) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, mysql_program],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout
        _, pid, folder = holder.stdout.readline().split()
        if frozen:
            os.kill(int(pid), signal.SIGSTOP)
        holder.kill()
    wait_until_gone(int(pid), Path(folder))


def test_only_its_own_root_may_enter(server: RunServer) -> None:
    for user, password in (("root", ""), ("", ""), ("root", "root")):
        login = Login("127.0.0.1", server.root.port, user, password)
        assert login.answer() is Answer.REFUSAL


def test_a_program_that_is_none_is_refused() -> None:
    with pytest.raises(ServerError, match="no server program at /nowhere"):
        RunServer("/nowhere")
