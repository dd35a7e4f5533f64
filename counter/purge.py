"""What nobody asks for any more goes: old receipts and idempotency keys, a few at a time."""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator

from quart import Quart
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from counter.models import idempotency_key_table, receipt_table, remove_old

EVERY = 60.0  # seconds
STEP = 500  # rows: some milliseconds, and nobody else wants these
REST = 0.05  # seconds between steps

log = logging.getLogger(__name__)


def init_app(app: Quart) -> None:
    """Purge now and then while `app` serves."""

    @app.while_serving
    async def serve() -> AsyncGenerator[None]:
        task = asyncio.create_task(_run(app.extensions["engine"]), name="purge")
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def purge(engine: AsyncEngine) -> None:
    """Remove what is older than a day, in steps."""
    calm = engine.execution_options(isolation_level="READ COMMITTED")  # no locks on gaps
    for table in (receipt_table, idempotency_key_table):
        removed = STEP
        while removed == STEP:
            async with calm.begin() as connection:
                removed = await remove_old(connection, table, STEP)
            await asyncio.sleep(REST)


async def _run(engine: AsyncEngine) -> None:
    while True:
        # Not all workers at once.
        await asyncio.sleep(random.uniform(0.5, 1.5) * EVERY)  # noqa: S311 (no secret)
        try:
            await purge(engine)
        except (SQLAlchemyError, OSError) as error:
            log.info("the purge waits: %s", error)
