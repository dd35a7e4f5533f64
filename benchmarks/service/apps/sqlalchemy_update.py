"""Quart with SQLAlchemy, in the usual way: one UPDATE and one COMMIT per request."""

from typing import Any

from quart import Quart
from sqlalchemy import CursorResult, text
from sqlalchemy.ext.asyncio import create_async_engine

import db
import settings

app = Quart(__name__)
engine = create_async_engine(
    db.url(vars(settings)),
    pool_size=10,  # the fastest of 2, 5, 10, 20 and 40: more would only wait for the row lock
    max_overflow=0,
    pool_reset_on_return=None,  # the block below ends each transaction: saves a round trip
)
# The UPDATE returns the new value, which saves a SELECT.
ADD = text("UPDATE peer SET count = LAST_INSERT_ID(count + 1) WHERE name = :name")


@app.post("/api/v1/counters/<namespace>/<key>/hits")
async def hit(namespace: str, key: str) -> dict[str, Any]:
    """Count a hit."""
    async with engine.begin() as connection:
        result: CursorResult[Any] = await connection.execute(ADD, {"name": f"{namespace}/{key}"})
        count = result.lastrowid
    return {"namespace": namespace, "key": key, "count": count}
