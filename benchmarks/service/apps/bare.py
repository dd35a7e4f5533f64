"""The minimum that can answer a hit: an ASGI app without a framework, which counts nothing.

The environment variable ANSWER has the headers and body of Counter's own answer.
"""

import json
import os
from typing import Any

ANSWER = json.loads(os.environ["ANSWER"])
START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(name.encode(), value.encode()) for name, value in ANSWER["headers"]],
}
BODY = {"type": "http.response.body", "body": ANSWER["body"].encode()}


async def app(scope: Any, _receive: Any, send: Any) -> None:
    """Answer every request alike."""
    if scope["type"] == "http":
        await send(START)
        await send(BODY)
