"""Servers where throwaway databases may be: near ones, and such whose locks tell something."""

import contextlib
import itertools
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest

from throwaway_mysql import ServerError
from throwaway_mysql.databases.database import throwaway_database
from throwaway_mysql.databases.identity import Maker
from throwaway_mysql.databases.marker import Marker, create
from throwaway_mysql.databases.ownership import Run
from throwaway_mysql.databases.place import REMOTE, Place, distrust, near
from throwaway_mysql.databases.sweep import survey, sweep
from throwaway_mysql.databases.verdict import State
from throwaway_mysql.login import Login
from throwaway_mysql.servers.run import RunServer
from throwaway_mysql.testing.looking import databases, unused, wait_until

Change = Callable[[bytes], bytes]
PASSWORD = "the same"  # noqa: S105 (a test's own)
RunProject = Callable[..., "subprocess.CompletedProcess[str]"]
# A conftest.py's lines, after those of run_project.
CONFIGURED_WITH = """
from dataclasses import replace

@pytest.fixture(scope="session")
def mysql_configured():
    return [replace(Login(**json.loads(os.environ["TEST_LOGIN"])), {})]
"""
PASSES = """
def test_it(create_db):
    pass
"""


def left_by_another(login: Login, prefix: str) -> str:
    """Make a database as a run on another machine did, long ago; return its name."""
    name = Run.begin(prefix, "gw0", "200101000000_abcdef").next_name()
    with Place(login) as place:
        create(place, Marker(name, Maker("elsewhere", 1, 1)))
    return name


def as_it_is(greeting: bytes) -> bytes:
    """Return the greeting."""
    return greeting


def renumbered(greeting: bytes) -> bytes:
    """Return a server's greeting with another number for the connection, as a proxy's has.

    After a header of four bytes come the protocol's version and the server's, which ends with
    a zero, and then the number ("Protocol::HandshakeV10" in MySQL's documentation).
    """
    place = greeting.index(b"\0", 5) + 1
    return greeting[:place] + bytes([greeting[place] ^ 0x40]) + greeting[place + 1 :]


@contextmanager
def between(*servers: Login, host: str = "127.0.0.1", change: Change = as_it_is) -> Iterator[int]:
    """Lead the connections to a port of `host` to the servers in turn; yield the port."""
    turns = itertools.cycle(servers)

    def accept() -> None:
        with contextlib.suppress(OSError):  # the listener was shut down
            while True:
                near_side, _ = listener.accept()
                login = next(turns)
                far_side = socket.create_connection((login.host, login.port))
                for ends in ((near_side, far_side, as_it_is), (far_side, near_side, change)):
                    threading.Thread(target=carry, args=ends, daemon=True).start()

    with socket.create_server((host, 0)) as listener:
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def carry(source: socket.socket, target: socket.socket, change: Change) -> None:
    """Pass on what comes, the first of it changed."""
    with contextlib.suppress(OSError), source, target:
        data = change(source.recv(65536))
        while data:
            target.sendall(data)
            data = source.recv(65536)
        for end in (source, target):
            end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def elsewhere() -> str:
    """Return an address of this machine that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: it only chooses the way
        except OSError:
            pytest.skip("this machine has no network")
        return str(probe.getsockname()[0])


@pytest.mark.parametrize(
    ("login", "expected"),
    [
        (Login("127.0.0.1", 1, "a", ""), True),
        (Login("127.8.8.8", 1, "a", ""), True),
        (Login("localhost", 1, "a", ""), True),
        (Login("::1", 1, "a", ""), True),
        (Login("db", 1, "a", "", unix_socket="/run/sock"), True),
        (Login("db", 1, "a", ""), False),
        (Login("localhost.example.com", 1, "a", ""), False),
        (Login("192.0.2.1", 1, "a", ""), False),
    ],
)
def test_near_is_loopback_and_a_socket(login: Login, *, expected: bool) -> None:
    assert near(login) is expected


def test_on_a_server_elsewhere_nothing_is_made_or_dropped(
    mysql_root: Login, prefix: str, elsewhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(REMOTE, raising=False)
    run = Run.begin(prefix)
    with between(mysql_root, host=elsewhere) as port:
        login = replace(mysql_root, host=elsewhere, port=port)
        for attempt in (
            lambda: throwaway_database(login, "thing", run).__enter__(),
            lambda: sweep(login, run),
            lambda: survey(login, run),
        ):
            with pytest.raises(
                ServerError, match=rf"is not this machine.*{REMOTE}={elsewhere}$"
            ) as error:
                attempt()
            assert len(str(error.value).splitlines()) == 1
    assert not [name for name in databases(mysql_root) if name.startswith(prefix)]


def test_one_that_is_allowed_by_name_is_used(
    mysql_root: Login, prefix: str, elsewhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(REMOTE, f"db, {elsewhere}")
    with closing(Run.begin(prefix)) as run, between(mysql_root, host=elsewhere) as port:
        login = replace(mysql_root, host=elsewhere, port=port)
        with throwaway_database(login, "thing", run) as coordinates:
            assert coordinates["DATABASE_NAME"] in databases(mysql_root)
        assert coordinates["DATABASE_NAME"] not in databases(mysql_root)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({}, ""),
        ({"wsrep_on": "OFF", "group_replication_group_name": "", "ndb_connectstring": ""}, ""),
        ({"wsrep_on": "ON"}, "Galera"),
        ({"group_replication_group_name": "2f3a"}, "group replication"),
        ({"ndb_connectstring": "db1:1186"}, "NDB Cluster"),
    ],
)
def test_what_a_server_tells_of_itself_decides(said: dict[str, str], why: str) -> None:
    assert why in distrust(said, 7, 7)
    assert bool(distrust(said, 7, 7)) is bool(why)


def test_a_connection_that_is_another_one_behind_is_a_proxy() -> None:
    assert "proxy" in distrust({}, 7, 8)
    assert distrust({}, 7, 7 + 2**32) == ""  # the greeting has 32 bits of it


def test_a_server_that_is_reached_as_it_is_is_trusted(account: Login) -> None:
    with Place(account) as place:
        assert place.distrust == ""
    with between(account) as port, Place(replace(account, port=port)) as place:
        assert place.distrust == ""


def test_when_a_server_started_is_the_same_whenever_it_is_asked(account: Login) -> None:
    with Place(account) as one:
        first, then = one.started, one.now
        wait_until(lambda: one.now > then)
        with Place(account) as other:
            assert other.started == first


def test_behind_a_proxy_nothing_is_swept(mysql_root: Login, prefix: str) -> None:
    left = left_by_another(mysql_root, prefix)
    with between(mysql_root, change=renumbered) as port:
        swept = sweep(replace(mysql_root, port=port), Run.begin(prefix))
    assert swept.note == "nothing is dropped: a proxy stands before the server"
    assert [(verdict.name, verdict.state) for verdict in swept.stay] == [(left, State.UNSURE)]
    assert swept.dropped == []
    assert left in databases(mysql_root)
    assert sweep(mysql_root, Run.begin(prefix)).dropped == [left]


def test_a_run_behind_a_proxy_says_what_it_did_not_drop(
    run_project: RunProject, mysql_root: Login, prefix: str
) -> None:
    left = left_by_another(mysql_root, prefix)
    with between(mysql_root, change=renumbered) as port:
        done = run_project(conftest=CONFIGURED_WITH.format(f"port={port}"), test_it=PASSES)
    assert "1 passed" in done.stdout, done.stdout
    assert "nothing is dropped: a proxy stands before the server" in done.stdout
    assert left in done.stdout
    assert sweep(mysql_root, Run.begin(prefix)).dropped == [left]


def test_a_configured_accounts_own_database_is_spared(
    run_project: RunProject, mysql_root: Login, prefix: str
) -> None:
    own = left_by_another(mysql_root, prefix)
    done = run_project(conftest=CONFIGURED_WITH.format(f"database={own!r}"), test_it=PASSES)
    assert "1 passed" in done.stdout, done.stdout
    assert own in databases(mysql_root)
    wait_until(lambda: unused(mysql_root, own, prefix))
    assert sweep(mysql_root, Run.begin(prefix)).dropped == [own]


def test_behind_a_proxy_databases_are_made_and_dropped(mysql_root: Login, prefix: str) -> None:
    with between(mysql_root, change=renumbered) as port, closing(Run.begin(prefix)) as run:
        with throwaway_database(replace(mysql_root, port=port), "", run) as coordinates:
            assert coordinates["DATABASE_NAME"] in databases(mysql_root)
        assert coordinates["DATABASE_NAME"] not in databases(mysql_root)


def test_where_each_connection_leads_to_another_server_nothing_is_swept(mysql_program: str) -> None:
    with closing(RunServer(mysql_program)) as one, closing(RunServer(mysql_program)) as other:
        for server in (one, other):
            with server.root.connect() as connection, connection.cursor() as cursor:
                cursor.execute(f"CREATE USER them IDENTIFIED BY '{PASSWORD}'")
                cursor.execute("GRANT ALL ON *.* TO them")
                cursor.execute("CREATE DATABASE p_200101000000_abcdef_gw0_1")
        with between(one.root, other.root) as port:
            swept = sweep(Login("127.0.0.1", port, "them", PASSWORD), Run.begin("p_"))
    assert "they lead to several servers" in swept.note
    assert swept.dropped == []
