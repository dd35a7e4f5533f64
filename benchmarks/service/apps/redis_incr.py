"""Quart with Redis: one INCR per request, which Redis flushes to disk before it answers."""

import os
from typing import Any

from quart import Quart
from redis.asyncio import BlockingConnectionPool, Redis

app = Quart(__name__)
redis = Redis.from_pool(
    BlockingConnectionPool(
        port=int(os.environ["REDIS_PORT"]),
        max_connections=64,  # faster than 8, 16 and 32: concurrent INCRs share a flush
        timeout=None,
    )
)


@app.post("/api/v1/counters/<namespace>/<key>/hits")
async def hit(namespace: str, key: str) -> dict[str, Any]:
    """Count a hit."""
    count = await redis.incr(f"{namespace}/{key}")
    return {"namespace": namespace, "key": key, "count": count}
