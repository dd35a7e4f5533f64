"""Logins: what they meet, told apart, and never with the password."""

import socket
import threading
from dataclasses import replace

import pytest

from harness import ServerError
from harness.login import Answer, Login
from harness.process import free_port


def test_it_meets_a_server(mysql_login: Login) -> None:
    assert mysql_login.answer() is Answer.SERVICE


def test_it_is_refused(mysql_login: Login) -> None:
    password = "wrong-and-hidden"[::-1]  # backwards: the report quotes this very line
    stranger = replace(mysql_login, password=password)
    assert stranger.answer() is Answer.REFUSAL
    with pytest.raises(ServerError, match=r"refused .*: Access denied") as error:
        stranger.connect()
    report = str(error.traceback[-1].getsource()) + str(error.getrepr(funcargs=True))
    assert password not in report


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


def test_its_repr_has_no_password() -> None:
    assert "hidden" not in repr(Login("127.0.0.1", 1, "root", "hidden"))


def test_its_url_is_quoted() -> None:
    assert (
        Login("::1", 1, "ä@b", "p%:/☃").url()  # the driver reads UTF-8 as latin-1, on purpose
        == "mysql+pymysql://%C3%A4%40b:p%25%3A%2F%C3%A2%C2%98%C2%83@[::1]:1"
    )
