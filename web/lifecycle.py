"""How the app begins and ends under any server: in one line, and with a notice of its end."""

import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from quart import Quart


def init_app(app: Quart) -> None:
    """End with one line where the address is taken, and serve without long pauses."""
    _exit_if_address_taken(app)

    @app.before_serving
    async def freeze_startup_objects() -> None:
        # A full garbage collection goes through all that the start has made, which is never
        # garbage: requests stood still for 0.09 s. Tests start apps again and again.
        if not app.testing:
            gc.freeze()


def _exit_if_address_taken(app: Quart) -> None:
    """Do what hypercorn does not, whose word for a taken address is a traceback."""
    serve = app.run

    def run(host: str, port: int, **options: Any) -> None:
        try:
            serve(host, port, **options)
        except OSError as error:
            hint = "stop what listens there, or set HOST or PORT"
            print(f"{host}:{port}: {error.strerror}: {hint}", file=sys.stderr, flush=True)
            os._exit(1)  # connections were opened, whose loop is closed by now

    app.run = run  # type: ignore[method-assign, assignment]


@contextmanager
def on_shutdown_signal(notice: Callable[[], object]) -> Iterator[None]:
    """Call `notice` at SIGTERM and Ctrl-C, before the server acts on them.

    A server tells the app of its end (ASGI's lifespan.shutdown) only when all requests are
    answered. It may listen with signal.signal or through its event loop: neither is disturbed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals go to others
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def handle(number: int, frame: FrameType | None) -> None:
        notice()
        then = before[signal.Signals(number)]
        if callable(then):
            then(number, frame)
        elif then == signal.SIG_DFL:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    for number, then in before.items():
        if then is not None:  # else it is not Python's to give back
            signal.signal(number, handle)
    try:
        yield
    finally:
        for number, then in before.items():
            if signal.getsignal(number) is handle:
                signal.signal(number, then)
