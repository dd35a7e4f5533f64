"""Logins: their outcomes are distinguished, and no message shows the password."""

import asyncio
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Any

import pytest
from support.processes import running

from throwaway_mysql.connections import rows
from throwaway_mysql.errors import ServerError
from throwaway_mysql.grants import identifier
from throwaway_mysql.login import Answer, Login, check_allowed
from throwaway_mysql.server import Server, free_port
from throwaway_mysql.tls import Tls

SET = "is its environment variable set?"
AWKWARD = "%s%%@:/#?&;'\"`\\ $é☃"
DRIVERS = ["pymysql", "aiomysql", "asyncmy", "mysqlclient", "mysqlconnector", "mariadbconnector"]
MODULES = {
    "mysqlclient": "MySQLdb",
    "mysqlconnector": "mysql.connector",
    "mariadbconnector": "mariadb",
}
# What pytest-socket does before a fixture first imports this package.
REFUSES = """
import socket, sys

def refuse(*_, **__):
    raise RuntimeError("refused by the tests")

socket.getaddrinfo = socket.socket.connect = refuse
socket.socket = type("Guarded", (socket.socket,), {"__new__": refuse})
from throwaway_mysql.login import Login
print(Login("127.0.0.1", int(sys.argv[1]), "root", sys.argv[2]).answer().name)
"""


@pytest.fixture(scope="module")
def server(mysql_program: str) -> Iterator[Server]:
    """Start a server that a test may fill and lock."""
    with Server(mysql_program) as server:
        yield server


@pytest.fixture(scope="module", params=["port", "socket"])
def awkward(request: pytest.FixtureRequest, server: Server) -> Login:
    """Return an account whose name and password a URL must quote; a database has the same name."""
    name = f"u%2F {request.param}"
    with server.root.connect() as connection:
        rows(connection, f"CREATE DATABASE {identifier(name)}")
        rows(connection, "CREATE USER %s@'%%' IDENTIFIED BY %s", name, AWKWARD)
        rows(connection, "GRANT ALL ON *.* TO %s@'%%'", name)
    unix_socket = str(server.folder / "sock") if request.param == "socket" else None
    port = 3306 if unix_socket else server.root.port  # a URL with a socket has no port
    return replace(
        server.root,
        host="localhost" if unix_socket else server.root.host,
        port=port,
        user=name,
        password=AWKWARD,
        unix_socket=unix_socket,
        database=name,
    )


def test_it_gets_in_or_is_refused_without_its_password(server: Server) -> None:
    assert server.root.answer() is Answer.SERVICE
    password = "wrong-and-hidden"[::-1]  # backwards: the report quotes this very line
    stranger = replace(server.root, password=password)
    assert stranger.answer() is Answer.REFUSAL
    with pytest.raises(ServerError, match=r"refused .*: Access denied") as error:
        stranger.connect()
    report = str(error.traceback[-1].getsource()) + str(error.getrepr(funcargs=True))
    assert password not in report
    assert password not in repr(stranger)
    with server.root.connect() as connection:
        rows(connection, "CREATE USER locked IDENTIFIED BY 'hidden' ACCOUNT LOCK")
    with pytest.raises(ServerError, match=r"refused .* locked"):
        replace(server.root, user="locked", password="hidden").connect()  # noqa: S106 (a test's)


def test_a_full_server_is_told(mysql_program: str) -> None:
    with Server(mysql_program) as server, ExitStack() as stack:
        with server.root.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SET GLOBAL max_connections = 10")
        with suppress(ServerError):
            while True:
                stack.enter_context(server.root.connect())
        assert server.root.answer() is Answer.FULL
        with pytest.raises(ServerError, match=r"at 127\.0\.0\.1:.* is full: Too many"):
            server.root.connect()


def test_where_no_one_listens_the_line_says_so() -> None:
    nobody = Login("127.0.0.1", free_port(), "root", "hidden")
    assert nobody.answer() is Answer.NOTHING
    with pytest.raises(ServerError, match=f"no server answers at 127.0.0.1:{nobody.port}"):
        nobody.connect()


@pytest.mark.parametrize("greeting", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00" * 64])
def test_who_does_not_speak_mysql_is_a_stranger(greeting: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:

        def greet() -> socket.socket:
            connection, _ = listener.accept()
            connection.sendall(greeting)
            if greeting:  # otherwise it is silent, and only the timeout ends it
                connection.close()
            return connection

        greeted = pool.submit(greet)
        login = Login("127.0.0.1", listener.getsockname()[1], "root", "hidden")
        assert login.answer(timeout=0.5) is Answer.STRANGER
        greeted.result().close()


def test_it_connects_though_tests_refuse_connections(server: Server) -> None:
    with running(REFUSES, server.root.port, server.root.password) as (_, line):
        assert line == "SERVICE"


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"port": "33o6"}, "a Login's port is '33o6': it must be a number from 0 to 65535"),
        ({"port": 65536}, "a Login's port is 65536: it must be a number from 0 to 65535"),
        ({"host": None}, f"a Login's host must be text, not NoneType: {SET}"),
        ({"password": b"hidden"}, f"a Login's password must be text, not bytes: {SET}"),
    ],
)
def test_a_value_that_cannot_be_is_one_line(wrong: dict[str, Any], line: str) -> None:
    right: dict[str, Any] = {"host": "there", "port": "3306", "user": "root", "password": ""}
    assert Login(**right).port == 3306
    with pytest.raises(ServerError) as error:
        Login(**(right | wrong))
    assert str(error.value) == line


@pytest.mark.parametrize("driver", DRIVERS)
def test_its_url_leads_each_driver_there(awkward: Login, driver: str) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    pytest.importorskip(MODULES.get(driver, driver))
    query = sqlalchemy.text("SELECT CONCAT(DATABASE(), ' ☃')")
    url = awkward.url(driver, str(awkward.database))

    async def ask() -> Any:
        from sqlalchemy.ext.asyncio import create_async_engine

        engine = create_async_engine(url)
        async with engine.connect() as connection:
            found = await connection.scalar(query)
        await engine.dispose()
        return found

    if driver in ("aiomysql", "asyncmy"):
        found = asyncio.run(ask())
    else:
        engine = sqlalchemy.create_engine(url)
        with engine.connect() as connection:
            found = connection.scalar(query)
        engine.dispose()
    assert found == f"{awkward.database} ☃"


def test_a_login_is_read_from_its_own_url(awkward: Login) -> None:
    assert Login.from_url(awkward.url("mysql", str(awkward.database))) == awkward


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("sqlite:///hidden", "has no mysql://"),
        ("mysql://:hidden@there/shop", "has no USER"),
        ("mysql+pymysql://root:hidden@/shop", "has no HOST"),
        ("mysql://root:hidden@there:33o6/shop", "has no PORT"),
        ("", "has no mysql://"),
    ],
)
def test_a_url_that_is_none_is_one_line_without_it(url: str, line: str) -> None:
    with pytest.raises(ServerError, match=re.escape(line)) as error:
        Login.from_url(url)
    assert "hidden" not in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("driver", ["DB_PORT", "mysql+mysql+pymysql", "mysql+", ""])
def test_a_url_for_what_is_no_driver_is_refused(driver: str) -> None:
    line = f"^'{re.escape(driver)}' is no driver: use one such as pymysql$"
    with pytest.raises(ServerError, match=line):
        Login("there", 1, "root", "").url(driver)


def test_a_url_leaves_out_the_password_and_names_what_its_tls_trusts_where_it_can() -> None:
    login = Login("::1", 3306, "a b", "hidden", tls=Tls("verified", ca="/a ca.pem", cert="c.pem"))
    begin, tls = "//a%20b@[::1]:3306/d?charset=utf8mb4", "&ssl_ca=%2Fa%20ca.pem&ssl_cert=c.pem"
    for driver, url in {
        "mariadb": f"mariadb:{begin}",
        "mysqlclient": f"mysql+mysqldb:{begin}{tls}&ssl_mode=VERIFY_IDENTITY",
        "mysql+pymysql": f"mysql+pymysql:{begin}{tls}",
        "aiomysql": f"mysql+aiomysql:{begin}",  # has no URL options for files
    }.items():
        assert login.url(driver, "d", password=False) == url


def test_tls_that_cannot_be_is_one_line() -> None:
    with pytest.raises(ServerError, match=r"^TLS is 'on': it must be one of off, preferred, verif"):
        Tls("on")
    with pytest.raises(ServerError, match=r"^TLS with /nowhere/ca.pem: .*No such file[^\n]*$"):
        Tls("verified", ca="/nowhere/ca.pem").context()


def test_a_server_elsewhere_is_refused_unless_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    login = Login("db.example", 3306, "root", "hidden")
    monkeypatch.setenv("THROWAWAY_MYSQL_REMOTE", "another")
    with pytest.raises(ServerError, match=r"to allow that, set THROWAWAY_MYSQL_REMOTE=db\.e"):
        check_allowed(login)
    for host in ("127.0.0.1", "localhost", "::1"):
        check_allowed(replace(login, host=host))
    check_allowed(replace(login, unix_socket="/run/sock"))
    monkeypatch.setenv("THROWAWAY_MYSQL_REMOTE", "another, db.example")
    check_allowed(login)
