"""Logins: what they meet, told apart, and never with the password."""

import copy
import json
import pickle
import re
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from throwaway_mysql import ServerError
from throwaway_mysql.login import Answer, Login
from throwaway_mysql.servers.port import free_port
from throwaway_mysql.servers.private import PrivateServer
from throwaway_mysql.servers.run import RunServer
from throwaway_mysql.tls import Tls


def test_it_meets_a_server(mysql_server: Login) -> None:
    assert mysql_server.answer() is Answer.SERVICE


def test_it_is_refused(mysql_server: Login) -> None:
    password = "wrong-and-hidden"[::-1]  # backwards: the report quotes this very line
    stranger = replace(mysql_server, password=password)
    assert stranger.answer() is Answer.REFUSAL
    with pytest.raises(ServerError, match=r"refused .*: Access denied") as error:
        stranger.connect()
    report = str(error.traceback[-1].getsource()) + str(error.getrepr(funcargs=True))
    assert password not in report


def test_a_password_hides_itself_and_is_a_string() -> None:
    password = Login("there", 3306, "root", "hidden é").password
    made = [pickle.loads(pickle.dumps(password)), copy.deepcopy(password)]  # noqa: S301
    assert repr([password, *made, password.encode(), password.encode().decode()]).count("***") == 5
    assert [*made, json.loads(json.dumps(password)), str(password)] == ["hidden é"] * 4
    assert quote(password) == "hidden%20%C3%A9"
    assert "hidden" not in repr(Login("there", 3306, "root", password).url())


def test_a_locked_account_is_refused(mysql_server: Login) -> None:
    if mysql_server.user != "root":
        pytest.skip("the tests' account is not root")
    name = f"locked_{secrets.token_hex(4)}"
    locked = replace(mysql_server, user=name, password="hidden")  # noqa: S106 (a test's own)
    with mysql_server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE USER {name} IDENTIFIED BY 'hidden' ACCOUNT LOCK")
        try:
            assert locked.answer() is Answer.REFUSAL
            with pytest.raises(ServerError, match=r"refused .* locked"):
                locked.connect()
        finally:
            cursor.execute(f"DROP USER {name}")


@pytest.fixture(scope="module")
def full(mysql_program: str) -> Iterator[Login]:
    """Return an account on a server that has no connection left."""
    with closing(RunServer(mysql_program)) as server, ExitStack() as stack:
        with server.root.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SET GLOBAL max_connections = 10")
        with suppress(ServerError):
            while True:
                stack.enter_context(server.root.connect())
        yield server.root


def test_it_meets_a_full_server(full: Login) -> None:
    assert full.answer() is Answer.FULL
    with pytest.raises(ServerError, match=f"the server at {full.address} is full: Too many"):
        full.connect()


def test_in_the_place_of_a_full_server_none_is_started(full: Login, tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"is full: Too many connections$"):
        PrivateServer(tmp_path, full, full.password).start("/nowhere")


def test_it_meets_nothing() -> None:
    nobody = Login("127.0.0.1", free_port(), "root", "hidden")
    assert nobody.answer() is Answer.NOTHING
    with pytest.raises(ServerError, match=f"no server answers at 127.0.0.1:{nobody.port}"):
        nobody.connect()


@pytest.mark.parametrize("greeting", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00" * 64])
def test_it_meets_a_stranger(greeting: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            connection, _ = listener.accept()
            connection.sendall(greeting)
            if greeting:  # else it is silent, and only the time limit ends it
                connection.close()
            held.append(connection)

        held: list[socket.socket] = []
        thread = threading.Thread(target=greet)
        thread.start()
        login = Login("127.0.0.1", listener.getsockname()[1], "root", "hidden")
        assert login.answer(timeout=0.5) is Answer.STRANGER
        thread.join()
        held[0].close()


def test_its_port_may_be_text(mysql_server: Login) -> None:
    login = replace(mysql_server, port=str(mysql_server.port))  # type: ignore[arg-type]  # as read
    assert login == mysql_server
    assert login.answer() is Answer.SERVICE


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"port": "33o6"}, "a Login's port is '33o6': it must be a number from 0 to 65535"),
        ({"port": 65536}, "a Login's port is 65536: it must be a number from 0 to 65535"),
        ({"port": None}, "a Login's port is None: it must be a number from 0 to 65535"),
        ({"host": None}, "a Login's host is None: is the variable set that it is read from?"),
        (
            {"password": None},
            "a Login's password is None: is the variable set that it is read from?",
        ),
        ({"password": b"hidden"}, "a Login's password must be text, not bytes"),
    ],
)
def test_what_it_cannot_be_is_refused_in_one_line(wrong: dict[str, Any], line: str) -> None:
    right: dict[str, Any] = {"host": "there", "port": 3306, "user": "root", "password": ""}
    with pytest.raises(ServerError) as error:
        Login(**(right | wrong))
    assert str(error.value) == line


def test_its_repr_has_no_password() -> None:
    assert "hidden" not in repr(Login("127.0.0.1", 1, "root", "hidden"))


def test_its_url_is_quoted() -> None:
    assert (
        Login("::1", 1, "ä@b", "p%:/☃").url()  # the driver reads UTF-8 as latin-1, on purpose
        == "mysql+pymysql://%C3%A4%40b:p%25%3A%2F%C3%A2%C2%98%C2%83@[::1]:1"
    )


UTF_8, LATIN = "%C3%A9", "%C3%83%C2%A9"  # an é, and for drivers that take text for latin-1


@pytest.mark.parametrize(
    ("driver", "scheme", "password"),
    [
        ("pymysql", "mysql+pymysql", LATIN),
        ("mysql+pymysql", "mysql+pymysql", LATIN),
        ("mysqldb", "mysql+mysqldb", UTF_8),
        ("mariadb+aiomysql", "mariadb+aiomysql", LATIN),
        ("mysql", "mysql", UTF_8),
    ],
)
def test_its_url_takes_a_drivers_name_in_both_spellings(
    driver: str, scheme: str, password: str
) -> None:
    url = Login("there", 1, "root", "é").url(driver, "shop")
    assert url == f"{scheme}://root:{password}@there:1/shop?charset=utf8mb4"


@pytest.mark.parametrize("driver", ["pymsql", "sqlite", "mysql+mysql+pymysql", "mysql+", ""])
def test_its_url_refuses_what_is_no_driver(driver: str) -> None:
    line = f"^'{re.escape(driver)}' names no driver: take one such as pymysql, or mysql\\+pymysql$"
    with pytest.raises(ServerError, match=line):
        Login("there", 1, "root", "").url(driver)


def test_its_url_names_its_socket() -> None:
    login = Login("localhost", 0, "root", "p", unix_socket="/a folder/sock")
    assert login.url() == "mysql+pymysql://root:p@localhost/?unix_socket=/a%20folder/sock"
    assert login.address == "/a folder/sock"


@pytest.mark.parametrize(
    ("driver", "query"),
    [
        ("pymysql", "ssl_ca=%2Fa%20ca.pem&ssl_cert=c.pem"),
        ("mysqldb", "ssl_ca=%2Fa%20ca.pem&ssl_cert=c.pem&ssl_mode=VERIFY_IDENTITY"),
        ("aiomysql", ""),  # takes no file from a URL
    ],
)
def test_its_url_names_what_its_tls_trusts_where_a_url_can(driver: str, query: str) -> None:
    login = Login("there", 1, "root", "p", tls=Tls("verified", ca="/a ca.pem", cert="c.pem"))
    assert login.url(driver).partition("?")[2] == query


def test_tls_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"^TLS is 'on': it must be one of off, preferred, verif"):
        Tls("on")
    gone = Tls("verified", ca=str(tmp_path / "gone.pem"))
    with pytest.raises(ServerError, match=r"^TLS with .*gone.pem: .*No such file[^\n]*$"):
        gone.context()
