"""The private server of development: its folder has its own things only, and all of them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from throwaway_mysql import ServerError
from throwaway_mysql.login import Answer, Login
from throwaway_mysql.servers.guard import GONE
from throwaway_mysql.servers.hold import Hold, await_guard
from throwaway_mysql.servers.lasting import UNFINISHED
from throwaway_mysql.servers.leftovers import REST
from throwaway_mysql.servers.port import free_port
from throwaway_mysql.servers.private import PrivateServer
from throwaway_mysql.servers.program import find_program
from throwaway_mysql.servers.run import RunServer
from throwaway_mysql.testing.killing import descendants
from throwaway_mysql.testing.looking import alive, is_stopped, processes, wait_until
from throwaway_mysql.testing.slowness import slow_to_greet

PASSWORD = "of a test"  # noqa: S105
# Begins to make a server, and comes no further than to the server's own accounts.
BEGINS = """
import sys, time
from pathlib import Path
from throwaway_mysql.login import Login
from throwaway_mysql.servers import private

def wait(connection, password):
    print((folder / next(folder.glob(".throw*")) / "data/mysqld.pid").read_text(), flush=True)
    time.sleep(600)

private.set_root_password = wait
folder, program = Path(sys.argv[1]), sys.argv[2]
user = Login("127.0.0.1", int(sys.argv[3]), "shop", "of a test", database="shop")
private.PrivateServer(folder, user, "of a test").start(program)
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PrivateServer]:
    """Return a server that has not been started; what was is stopped."""
    user = Login("127.0.0.1", free_port(), "shop", PASSWORD, database="shop")
    server = PrivateServer(tmp_path, user, PASSWORD)
    yield server
    server.stop()


@contextmanager
def beginning(server: PrivateServer, program: str) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """Begin to make a server; yields the starter, which the block ends, and the server's id."""
    argv = [sys.executable, "-c", BEGINS, str(server.folder), program, str(server.user.port)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout
        yield starter, int(starter.stdout.readline())


def test_a_start_removes_no_folder_of_a_person(server: PrivateServer, mysql_program: str) -> None:
    stays = [server.folder / f"{UNFINISHED}novel{end}" / "page" for end in ("", GONE)]
    for page in stays:
        page.parent.mkdir(mode=0o700)
        page.touch()
    server.start(mysql_program)
    assert all(page.exists() for page in stays)


def test_no_server_is_made_among_things_of_a_person(
    server: PrivateServer, mysql_program: str
) -> None:
    (server.folder / "novel").touch()
    with pytest.raises(ServerError, match="has novel in it, which is not a server's: move"):
        server.start(mysql_program)
    assert {path.name for path in server.folder.iterdir()} == {"novel", "lock"}


def test_what_another_start_is_making_stays(server: PrivateServer, mysql_program: str) -> None:
    made = server.folder / f"{UNFINISHED}now_made"
    made.mkdir(mode=0o700)
    hold = Hold(made)
    server.start(mysql_program)
    assert made.exists()
    hold.close()


@pytest.mark.parametrize("late", [False, True], ids=["", "which ends a little later"])
def test_what_a_start_left_that_was_killed_with_its_guard_goes_at_the_next(
    server: PrivateServer, mysql_program: str, monkeypatch: pytest.MonkeyPatch, *, late: bool
) -> None:
    with beginning(server, mysql_program) as (starter, left):
        [_, guard] = descendants(starter.pid, "guard.py")
        os.kill(guard, signal.SIGSTOP if late else signal.SIGKILL)
        # Only then it no longer waits for the starter's lock, which it would get.
        wait_until(lambda: not late or is_stopped(guard))
        starter.kill()

    def killed(folder: Path) -> None:
        os.kill(guard, signal.SIGKILL)
        await_guard(folder)

    assert alive(left)
    [half] = server.folder.glob(f"{UNFINISHED}*")
    assert REST.fullmatch(half.name.removeprefix(UNFINISHED))
    if late:
        monkeypatch.setattr("throwaway_mysql.servers.lasting.await_guard", killed)
    server.start(mysql_program)
    assert server.user.answer() is Answer.SERVICE
    wait_until(lambda: not alive(left))  # until its parent takes note
    assert not list(server.folder.glob(f"{UNFINISHED}*"))
    assert processes(half) == []


def test_a_server_that_is_slow_to_greet_is_no_stranger(mysql_server: Login, tmp_path: Path) -> None:
    with slow_to_greet(mysql_server) as user:
        assert PrivateServer(tmp_path, user, PASSWORD).status() == (
            True,
            f"a server of your own answers at {user.address}",
        )
    with slow_to_greet(mysql_server, times=2) as user:
        said = PrivateServer(tmp_path, user, PASSWORD).start()
        assert said.endswith(f"server answers at {user.address}")


def test_a_login_that_lacks_a_package_is_told_and_no_server_started(
    mysql_program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if find_program(mysql_program).family == "MariaDB":
        pytest.skip("it takes a password without RSA")
    with closing(RunServer(mysql_program)) as there:
        with there.root.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE USER shop IDENTIFIED BY '{PASSWORD}'")  # which logs in first
        monkeypatch.setattr("pymysql._auth._have_cryptography", False)
        user = Login("127.0.0.1", there.root.port, "shop", PASSWORD, database="shop")
        with pytest.raises(ServerError, match=r"needs cryptography: pip install .*\[rsa\]'$"):
            PrivateServer(tmp_path, user, PASSWORD).start(mysql_program)
    assert not (tmp_path / "data").exists()
