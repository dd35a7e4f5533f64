"""Hits as the app takes them, and its answers as a client must understand them."""

import json
import re
from typing import Any

from faults.ledger import Answer, Hit, Outcome
from faults.link import Link, LostError, NotSentError, Reply

HOME = "default/home"  # the counter of the page
PATIENCE = 25.0  # seconds: the app answers within 10
JSON = {"Accept": "application/json", "Content-Type": "application/json"}

Parts = tuple[str, str, dict[str, str], bytes]  # method, path, headers, body


async def send(link: Link, hits: tuple[Hit, ...]) -> Answer:
    """Send hits as one request, and tell what came of them."""
    try:
        reply = await link.ask(*_request(hits), within=PATIENCE)
    except NotSentError:
        return Answer(Outcome.REFUSED, said="nobody listens")
    except LostError as error:
        return Answer(Outcome.UNKNOWN, said=f"the connection was lost: {error}")
    except TimeoutError:
        said = f"no answer within {PATIENCE:.0f} s"
        return Answer(Outcome.UNKNOWN, said=said, wrong=True)
    return _understand(reply, hits)


def _request(hits: tuple[Hit, ...]) -> Parts:
    if len(hits) > 1:
        return "POST", "/api/v1/hits", JSON, _body(hits=[_as_json(hit) for hit in hits])
    (hit,) = hits
    if hit.counter == HOME:
        return "GET", "/", JSON, b""
    body = _body(by=hit.by) if hit.by > 1 else b""
    headers = {**JSON, "Idempotency-Key": hit.key} if hit.key else JSON
    return "POST", f"/api/v1/counters/{hit.counter}/hits", headers, body


def _as_json(hit: Hit) -> dict[str, Any]:
    namespace, _, key = hit.counter.partition("/")
    own = {"idempotency_key": hit.key} if hit.key else {}
    return {"namespace": namespace, "key": key, "by": hit.by, **own}


def _body(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def _understand(reply: Reply, hits: tuple[Hit, ...]) -> Answer:
    said = f"{reply.status} {reply.body[:200]!r}"
    try:
        if reply.status == 200:
            return Answer(Outcome.COUNTED, _counts(reply, hits))
        detail = reply.json()["detail"] if reply.status == 503 else ""
    except (ValueError, LookupError, TypeError):
        return Answer(Outcome.UNKNOWN, said=said, wrong=True)
    if "may have been counted" in detail:
        return Answer(Outcome.UNKNOWN, said=detail)
    if "not counted" in detail:
        return Answer(Outcome.REFUSED, said=detail)
    return Answer(Outcome.UNKNOWN, said=said, wrong=True)


def _counts(reply: Reply, hits: tuple[Hit, ...]) -> tuple[int, ...]:
    """Return the count of each hit; raise ValueError where they are not those that were sent."""
    if hits[0].counter == HOME:
        found = re.search(rb"<h1>Counter: (\d+)</h1>", reply.body)
        if not found:
            raise ValueError
        return (int(found[1]),)
    answers = reply.json()["hits"] if len(hits) > 1 else [reply.json()]
    if [f"{a['namespace']}/{a['key']}" for a in answers] != [hit.counter for hit in hits]:
        raise ValueError
    return tuple(int(answer["count"]) for answer in answers)
