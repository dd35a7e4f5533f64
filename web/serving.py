"""`quart run`, which says in one line why it cannot serve."""

import os
import sys
from typing import Any

from quart import Quart


def init_app(app: Quart) -> None:
    """End with one line where the address is taken; hypercorn's word for it is a traceback."""
    serve = app.run

    def run(host: str, port: int, **options: Any) -> None:
        try:
            serve(host, port, **options)
        except OSError as error:
            hint = "stop what listens there, or set HOST or PORT"
            print(f"{host}:{port}: {error.strerror}: {hint}", file=sys.stderr, flush=True)
            os._exit(1)  # connections were opened, whose loop is closed by now

    app.run = run  # type: ignore[method-assign, assignment]
