"""Batching: group commit of hits, each counted once and with a number of its own.

From the top down: batcher (which hits are written when), queue, writer (one attempt and its
outcome), sql (the statements), batch and pending (the data that these pass around).
"""

from collections.abc import AsyncGenerator

from quart import Quart, current_app

import db
from counter.batching.batcher import Batcher
from counter.batching.writer import Writer
from db import NOT_STARTED

ATTEMPT = 1.5  # seconds, at least: one second's wait for a lock, and time to probe for it
ENDS_WITHIN = 4.0  # seconds to finish hits whose requests the server did not wait for


def init_app(app: Quart) -> None:
    """Run a batcher while `app` serves."""

    @app.while_serving
    async def serve() -> AsyncGenerator[None]:
        # Half of a request's time: if a connection dies silently, there is time for another.
        limit = max(min(app.config["DB_TIMEOUT"], app.config["HIT_TIMEOUT"]) / 2, ATTEMPT)
        writer = Writer(lambda: db.connect(app.config, limit), limit)
        batcher = app.extensions["batcher"] = Batcher(writer)
        yield
        await batcher.close(ENDS_WITHIN)


def current() -> Batcher:
    """Return the running app's batcher."""
    try:
        return current_app.extensions["batcher"]  # type: ignore[no-any-return]  # of any extension
    except KeyError:
        raise RuntimeError(NOT_STARTED) from None
