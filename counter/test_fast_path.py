"""The fast path answers plain requests, and only those, exactly as Quart does."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from quart import Quart

from counter.fast_path import FastHit
from counter.fast_path import _answer as answer
from counter.hits import (
    CountLimitError,
    HitError,
    RefusedHitError,
    ReusedKeyError,
    TooManyHitsError,
    UnavailableError,
)

Pairs = list[tuple[bytes, bytes]]
Answer = tuple[int, Pairs, bytes]

KEY = (b"idempotency-key", b"a-key")


def hits(name: str) -> str:
    """Return the path of a counter's hits."""
    return f"/api/v1/counters/{name}/hits"


async def ask(
    app: Quart,
    path: str,
    method: str = "POST",
    *,
    body: Sequence[bytes] = (b"",),
    quarts: bool = False,
    **changes: Any,
) -> Answer:
    """Make a request as a server passes it on; return status, headers and body.

    With `quarts`, the fast path does not take it.
    """
    # Below a root path, everything is left to Quart.
    root = "/mounted" if quarts else ""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": root + path,
        "raw_path": (root + path).encode(),
        "query_string": b"",
        "root_path": root,
        "headers": [],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 5000),
        **changes,
    }
    sent: list[dict[str, Any]] = []
    parts = list(body)

    async def receive() -> dict[str, Any]:
        if not parts:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)  # type: ignore[arg-type]
    start, *rest = sent
    answer_body = b"".join(message.get("body", b"") for message in rest)
    return start["status"], sorted(start["headers"]), answer_body


async def render(app: Quart) -> None:
    """Have the page rendered: until then, no view is plain."""
    await ask(app, "/", "GET", headers=[(b"cookie", b"session=x")])


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the counters whose hits took the fast path."""
    names: list[str] = []

    async def noting(app: Quart, fast: FastHit, *rest: Any) -> None:
        names.append(fast.hit.name)
        await answer(app, fast, *rest)

    monkeypatch.setattr("counter.fast_path._answer", noting)
    return names


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"host", b"localhost"), (b"accept", b"text/html"), (b"cookie", b"session=x")],
        [(b"content-length", b"0"), (b"content-type", b"application/json")],
        [KEY],
    ],
    ids=["bare", "browser", "empty body", "key"],
)
async def test_both_ways_answer_a_hit_the_same(
    create_test_app: Quart, name: str, taken: list[str], headers: Pairs
) -> None:
    for _ in range(2):  # the second with a key is a replay
        short = await ask(create_test_app, hits(f"{name}.1"), headers=headers)
        status, head, body = await ask(
            create_test_app, hits(f"{name}.2"), quarts=True, headers=headers
        )
        assert short == (status, head, body.replace(b".2", b".1"))
        assert status == 200
    assert (b"idempotent-replayed", b"true") in head or KEY not in headers
    assert taken == [f"{name}.1"] * 2


HIDDEN = "s3cret-in-a-variable"
JSON, HTML = b"application/problem+json", b"text/html; charset=utf-8"
BROWSER = [(b"accept", b"text/html,*/*;q=0.8")]
FAILURES: dict[int, list[Exception]] = {
    503: [UnavailableError("The <database> is away."), RefusedHitError("It is \u00fcbel.")],
    409: [CountLimitError()],
    413: [TooManyHitsError("Send fewer.")],
    422: [ReusedKeyError()],
    500: [LookupError("no such thing")],
}


@pytest.mark.parametrize(
    ("method", "headers", "kind"),
    [("POST", BROWSER, JSON), ("GET", BROWSER, HTML), ("GET", [(b"accept", JSON)], JSON)],
    ids=["hit", "view by a browser", "view by a program"],
)
@pytest.mark.parametrize(
    ("status", "error"),
    [(status, error) for status, errors in FAILURES.items() for error in errors],
    ids=lambda value: type(value).__name__,
)
async def test_both_ways_answer_an_error_the_same(
    create_test_app: Quart,
    name: str,
    taken: list[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    method: str,
    headers: Pairs,
    kind: bytes,
    status: int,
    error: Exception,
) -> None:
    await render(create_test_app)
    calls = 0

    async def fail(*_: object, held: str = HIDDEN) -> None:
        nonlocal calls
        calls += len(held) > 0
        raise error

    monkeypatch.setattr(create_test_app.extensions["batcher"], "count", fail)
    path = hits(name) if method == "POST" else "/"
    short = await ask(create_test_app, path, method, headers=headers)
    assert calls == len(taken) == 1  # not again in the view
    logged = [caplog.messages[:], caplog.text.count("Traceback")]
    caplog.clear()
    answered, head, body = await ask(create_test_app, path, method, quarts=True, headers=headers)
    assert calls == 2
    if kind == HTML:
        head.remove((b"content-length", b"%d" % len(body)))
        body = body.replace(b'="/mounted/', b'="/')
        head.append((b"content-length", b"%d" % len(body)))
    assert short == (answered, sorted(head), body)
    assert (answered, dict(head)[b"content-type"]) == (status, kind)
    unmounted = [message.replace("/mounted", "") for message in caplog.messages]
    assert logged == [unmounted, caplog.text.count("Traceback")]
    assert logged[1] == (not isinstance(error, HitError))
    assert HIDDEN not in caplog.text + body.decode()


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"query_string": b"by=2"}, 422),
        ({"body": [b"{}"], "headers": [(b"content-length", b"2")]}, 415),
        ({"body": [b"{}"], "headers": [(b"transfer-encoding", b"chunked")]}, 415),
        ({"headers": [KEY, KEY]}, 422),
        ({"headers": [(b"idempotency-key", b"a key")]}, 422),
        ({"headers": [(b"idempotency-key", "\u00e9".encode())]}, 422),
        ({"path": "/api/v1/counters/a/b/hits/"}, 404),
        ({"path": "/api/v1/counters/a/b c/hits"}, 422),
        ({"path": f"/api/v1/counters/a/{'x' * 65}/hits"}, 422),
        ({"path": "/api/v1/hits"}, 422),
        ({"method": "GET"}, 405),
        ({"method": "OPTIONS"}, 200),
    ],
)
async def test_what_is_no_fast_hit_is_quarts(
    create_test_app: Quart,
    name: str,
    taken: list[str],
    changes: dict[str, Any],
    status: int,
) -> None:
    assert (await ask(create_test_app, **{"path": hits(name), **changes}))[0] == status
    assert taken == []


async def test_a_body_that_does_not_come_is_not_waited_for(
    create_test_app: Quart, taken: list[str]
) -> None:
    await render(create_test_app)
    headers = [(b"content-length", b"5")]  # Quart reads no body for the page
    async with asyncio.timeout(60):
        assert (await ask(create_test_app, "/", "GET", body=[], headers=headers))[0] == 200
    assert taken == []


async def test_a_body_after_the_first_message_is_not_lost(
    create_test_app: Quart, name: str
) -> None:
    json = (b"content-type", b"application/json")
    _, _, answer_body = await ask(
        create_test_app, hits(name), body=[b"", b'{"by":', b" 7}"], headers=[json]
    )
    assert answer_body.endswith(b'"count":7}')


async def test_both_ways_answer_a_view_the_same(create_test_app: Quart, taken: list[str]) -> None:
    await render(create_test_app)
    answers = [
        await ask(create_test_app, "/", "GET", headers=[(b"accept", b"application/json")]),
        await ask(create_test_app, "/", "GET", quarts=True),
    ]
    seen, counts = [], []
    for status, head, body in answers:
        head.remove((b"content-length", b"%d" % len(body)))  # the next count may be longer
        counts.append(int(body.partition(b"Counter: ")[2].partition(b"<")[0]))
        body = body.replace(b": %d<" % counts[-1], b": <").replace(b'="/mounted/', b'="/')
        seen.append((status, head, body))
    assert seen[0] == seen[1]
    assert seen[0][0] == 200
    assert counts[1] == counts[0] + 1
    assert taken == ["default/home"]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"method": "HEAD"}, 200),
        ({"method": "POST"}, 405),
        ({"query_string": b"from=there"}, 200),
        ({"headers": [(b"cookie", b"session=x")]}, 200),
        ({"headers": [(b"sec-purpose", b"prefetch")]}, 503),
        ({"body": [b"a body"], "headers": [(b"content-length", b"6")]}, 200),
    ],
)
async def test_what_is_no_fast_view_is_quarts(
    create_test_app: Quart, taken: list[str], changes: dict[str, Any], status: int
) -> None:
    await render(create_test_app)
    assert (await ask(create_test_app, "/", **{"method": "GET", **changes}))[0] == status
    assert taken == []


async def test_while_the_page_is_worked_on_each_view_renders_it(
    create_test_app: Quart, taken: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(create_test_app, "debug", True)
    for _ in range(2):
        assert (await ask(create_test_app, "/", "GET"))[0] == 200
    assert taken == []
