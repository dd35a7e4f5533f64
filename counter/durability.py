"""A warning at start-up where the server may lose what it has committed."""

import logging
from collections.abc import AsyncGenerator

from quart import Quart
from werkzeug.exceptions import ServiceUnavailable

from counter.models import Flushing, read_flushing
from db import transaction

SEE = "See docs/guarantees.md."
LOG = {
    0: "hits that were answered are lost where the server is killed or its machine goes down",
    2: "hits that were answered are lost where the server's machine goes down or loses power",
}
BINARY_LOG = "hits that were answered may be lost where the server's machine goes down"

log = logging.getLogger(__name__)


def init_app(app: Quart) -> None:
    """Look at the server's settings when `app` starts, and serve all the same."""

    @app.while_serving
    async def look() -> AsyncGenerator[None]:
        try:
            async with transaction() as connection:
                flushing = await read_flushing(connection)
        except ServiceUnavailable:
            pass  # that the database has gone again is in the log by now
        else:
            for line in risks(flushing):
                log.warning("%s. %s", line, SEE)
        yield


def risks(flushing: Flushing) -> list[str]:
    """Return a line for each setting by which an answered hit may be lost."""
    lines = []
    if flushing.log in LOG:  # 3, which MariaDB has, flushes more often than 1
        lines.append(
            f"innodb_flush_log_at_trx_commit is {flushing.log}, not 1: {LOG[flushing.log]}"
        )
    if flushing.binary_log not in (None, 1):
        lines.append(f"sync_binlog is {flushing.binary_log}, not 1: {BINARY_LOG}")
    return lines
