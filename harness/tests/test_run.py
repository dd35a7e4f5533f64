"""The server of a test run lives exactly as long as the run."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from throwaway_mysql import ServerError
from throwaway_mysql.login import Answer, Login
from throwaway_mysql.servers.port import free_port
from throwaway_mysql.servers.program import find_program
from throwaway_mysql.servers.run import RunServer
from throwaway_mysql.testing.killing import is_killed_at
from throwaway_mysql.testing.looking import MOMENTS, alive, processes, wait_until

PROJECT = Path(__file__).parents[1]

HOLDER = """
import sys, time
from throwaway_mysql.servers.run import RunServer
server = RunServer(sys.argv[1])
print(server.root.port, server.pid, server.folder, flush=True)
time.sleep(600)
"""


FORKER = """
import os, sys, warnings
from pathlib import Path
from throwaway_mysql.login import Answer
from throwaway_mysql.servers.run import RunServer
warnings.simplefilter("error")
server = RunServer(sys.argv[1], inside=Path(sys.argv[2]))
child = os.fork()
if not child:
    server.close()
    server.close()
    sys.exit()
assert os.waitpid(child, 0)[1] == 0
assert server.folder.is_dir() and list(Path(sys.argv[2]).glob("mysql-*/data"))
assert server.root.answer() is Answer.SERVICE and server.runs
server.stop()
server.start()
server.close()
assert not server.folder.exists() and not list(Path(sys.argv[2]).iterdir())
"""


@pytest.fixture
def server(mysql_program: str) -> Iterator[RunServer]:
    """Start a server."""
    server = RunServer(mysql_program)
    yield server
    server.close()


BUILDER = """
import sys
from throwaway_mysql.servers import run
run.roomy = lambda: sys.argv[2]
run.RunServer(sys.argv[1]).close()
"""


def test_close_leaves_nothing(server: RunServer) -> None:
    assert server.root.answer() is Answer.SERVICE
    server.close()
    assert not alive(server.pid)
    assert not server.folder.exists()
    assert server.root.answer() is Answer.NOTHING


def test_a_forked_child_that_closes_it_leaves_it_to_its_parent(
    mysql_program: str, tmp_path: Path
) -> None:
    argv = [sys.executable, "-c", FORKER, mysql_program, str(tmp_path)]
    ended = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


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


def test_a_second_stop_is_harmless(server: RunServer) -> None:
    server.stop()
    server.stop()
    server.start()
    assert server.root.answer() is Answer.SERVICE


def test_a_port_that_is_taken_before_the_first_start_is_left_for_another(
    server: RunServer, mysql_program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = iter([server.root.port, free_port()])
    monkeypatch.setattr("throwaway_mysql.servers.run.free_port", lambda: next(ports))
    with closing(RunServer(mysql_program)) as other:
        assert other.root.port != server.root.port
        assert other.root.answer() is Answer.SERVICE
    assert server.root.answer() is Answer.SERVICE


@contextmanager
def turning_away(port: int) -> Iterator[None]:
    """Listen at a port, and end each connection at once."""

    def turn_away() -> None:
        with suppress(OSError):  # the listener was shut down
            while True:
                listener.accept()[0].close()

    # It may be bound though connections of the former server linger: SO_REUSEADDR is set.
    with socket.create_server(("127.0.0.1", port)) as listener:
        thread = threading.Thread(target=turn_away)
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_a_server_whose_ports_are_all_taken_is_given_up(
    mysql_program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as another:
        another.bind(("127.0.0.1", 0))
        monkeypatch.setattr(
            "throwaway_mysql.servers.run.free_port", lambda: another.getsockname()[1]
        )
        with pytest.raises(ServerError, match="its port is taken by something else"):
            RunServer(mysql_program)


def test_a_restart_keeps_its_port_though_another_took_it(server: RunServer) -> None:
    server.stop()
    with turning_away(server.root.port), pytest.raises(ServerError, match="its port is taken"):
        server.start()
    server.start()
    assert server.root.answer() is Answer.SERVICE


@pytest.mark.parametrize("moment", MOMENTS)
def test_nothing_outlives_a_run_that_is_killed_while_its_server_gets(
    mysql_program: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, moment: str
) -> None:
    argv = [sys.executable, "-c", BUILDER, mysql_program, str(tmp_path)]
    is_killed = False
    while not is_killed:
        cache = tmp_path_factory.mktemp("cache")  # which has no template
        environ = os.environ | {"XDG_CACHE_HOME": str(cache)}
        with subprocess.Popen(argv, cwd=PROJECT, env=environ) as builder:
            is_killed = is_killed_at(moment, builder, tmp_path)
    wait_until(lambda: not processes(tmp_path) and not list(tmp_path.iterdir()))
    assert list(cache.rglob("*.template")) == []


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
    wait_until(lambda: not alive(int(pid)) and not Path(folder).exists())


def test_only_its_own_root_may_enter(server: RunServer) -> None:
    for user, password in (("root", ""), ("", ""), ("root", "root")):
        login = Login("127.0.0.1", server.root.port, user, password)
        assert login.answer() is Answer.REFUSAL


def test_one_that_does_not_start_says_why_and_names_no_log_that_goes_with_it(
    mysql_program: str,
) -> None:
    with pytest.raises(ServerError, match=r": .*\[ERROR\].*no-such-option") as error:
        RunServer(mysql_program, flags=["--no-such-option=/"])
    assert "server.log" not in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_a_program_that_is_none_is_refused() -> None:
    with pytest.raises(ServerError, match="no server program at /nowhere"):
        RunServer("/nowhere")


def test_what_a_login_by_tcp_lacks_is_said_at_once(
    mysql_program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if find_program(mysql_program).family == "MariaDB":
        pytest.skip("it takes a password without RSA")
    monkeypatch.setattr("pymysql._auth._have_cryptography", False)
    with pytest.raises(
        ServerError, match=r"needs cryptography: pip install 'throwaway-mysql\[rsa\]'$"
    ):
        RunServer(mysql_program)
    RunServer(mysql_program, tcp=False).close()
