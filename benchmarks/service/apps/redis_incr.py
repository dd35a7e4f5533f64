"""Quart with Redis: an INCR for each request, which Redis flushes to disk before it answers."""

import os
from collections.abc import AsyncGenerator
from typing import Any

from quart import Quart
from redis.asyncio import BlockingConnectionPool, Redis

app = Quart(__name__)

POOL_SIZE = 64  # faster than 8, 16 and 32: Redis flushes once for all that came together


@app.while_serving
async def client() -> AsyncGenerator[None]:
    """Hold the client while the app serves."""
    pool = BlockingConnectionPool(
        port=int(os.environ["REDIS_PORT"]), max_connections=POOL_SIZE, timeout=None
    )
    app.extensions["redis"] = Redis.from_pool(pool)
    yield
    await app.extensions["redis"].aclose()


@app.post("/api/v1/counters/<namespace>/<key>/hits")
async def hit(namespace: str, key: str) -> dict[str, Any]:
    """Count one."""
    count = await app.extensions["redis"].incr(f"{namespace}/{key}")
    return {"namespace": namespace, "key": key, "count": count}
