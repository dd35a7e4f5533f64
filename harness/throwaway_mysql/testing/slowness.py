"""A way to a MySQL server that is slow to greet, as on a busy machine."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from throwaway_mysql.login import Login


@contextmanager
def slow_to_greet(server: Login, times: int = 1) -> Iterator[Login]:
    """Yield a login that meets no greeting so many times, then the server, then nothing."""
    listener = socket.create_server(("127.0.0.1", 0))
    with ThreadPoolExecutor() as pool:
        relay = pool.submit(_be_slow, listener, server, times)
        try:
            yield Login("127.0.0.1", listener.getsockname()[1], server.user, server.password)
            relay.result()
        finally:
            with contextlib.suppress(OSError):  # it has ended
                listener.shutdown(socket.SHUT_RDWR)


def _be_slow(listener: socket.socket, server: Login, times: int) -> None:
    """Hold the greetings of callers until they give up, let one to the server, then end."""
    with listener:
        for _ in range(times):
            hasty, _ = listener.accept()
            with hasty:
                hasty.recv(1)  # nothing, at its end
        patient, _ = listener.accept()
    with patient, socket.create_connection((server.host, server.port)) as link:
        back = threading.Thread(target=_pass_on, args=(link, patient))
        back.start()
        _pass_on(patient, link)
        back.join()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    """Pass on what comes until it ends."""
    with contextlib.suppress(OSError):  # the other side has gone
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
