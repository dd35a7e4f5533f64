"""The purge of old receipts and idempotency keys, in small steps."""

import asyncio
import logging
import random
import time
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta

from quart import Quart
from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncEngine

from counter.models import idempotency_key_table, read_clock, receipt_table, remove_older

EVERY = 60.0  # seconds, at least
RETENTION = timedelta(days=1)
STEADY = 60.0  # seconds; a larger change of the clock puts the purge off
STEP = 100  # rows, one round trip each: some milliseconds near the database
WITHIN = 10.0  # seconds that a step may take
REST = 0.02  # seconds between steps

log = logging.getLogger(__name__)


def init_app(app: Quart) -> None:
    """Purge periodically while `app` serves."""

    @app.while_serving
    async def serve() -> AsyncGenerator[None]:
        # No batch is in doubt for longer than this.
        pause = max(EVERY, app.config["HIT_TIMEOUT"], app.config["DB_TIMEOUT"])
        task = asyncio.create_task(_run(app.extensions["engine"], pause), name="purge")
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def purge(engine: AsyncEngine, ahead_before: float | None) -> float:
    """Remove what is older than a day, in steps, unless the server's clock has jumped.

    After a jump, the receipt of a batch in doubt may seem a day old. Returns by how many seconds
    that clock is ahead of ours: pass it next time, when every batch that waits now is settled.
    """
    calm = engine.execution_options(isolation_level="READ COMMITTED")  # no gap locks
    async with asyncio.timeout(WITHIN), calm.connect() as connection:
        clock = await read_clock(connection)
    ahead = clock.replace(tzinfo=UTC).timestamp() - time.monotonic()
    if ahead_before is not None and abs(ahead - ahead_before) < STEADY:
        for table in (receipt_table, idempotency_key_table):
            await _remove_older(calm, table, clock - RETENTION)
    return ahead


async def _remove_older(engine: AsyncEngine, table: Table, made_before: datetime) -> None:
    removed = STEP
    while removed == STEP:
        async with asyncio.timeout(WITHIN), engine.begin() as connection:
            removed = await remove_older(connection, table, made_before, STEP)
        await asyncio.sleep(REST)


async def _run(engine: AsyncEngine, pause: float) -> None:
    ahead: float | None = None
    well = True
    while True:
        # A random pause keeps workers from purging all at once.
        await asyncio.sleep(random.uniform(1, 2) * pause)  # noqa: S311 (no secret)
        try:
            ahead = await purge(engine, ahead)
            well = True
        except Exception as error:  # noqa: BLE001 (an outage may raise any)
            if well:  # one line for each outage
                log.warning("old receipts and idempotency keys were not removed: %r", error)
            well = False
