"""Quart with Redis: an INCR for each request, which Redis flushes to disk before it answers."""

import os
from typing import Any

from quart import Quart
from redis.asyncio import BlockingConnectionPool, Redis

app = Quart(__name__)
redis = Redis.from_pool(
    BlockingConnectionPool(
        port=int(os.environ["REDIS_PORT"]),
        max_connections=64,  # faster than 8, 16 and 32: one flush for all that came together
        timeout=None,
    )
)


@app.post("/api/v1/counters/<namespace>/<key>/hits")
async def hit(namespace: str, key: str) -> dict[str, Any]:
    """Count one."""
    count = await redis.incr(f"{namespace}/{key}")
    return {"namespace": namespace, "key": key, "count": count}
