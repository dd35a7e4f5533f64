"""HTTP/1.1 over a socket: requests reach the app as sent, and connections have limits."""

import asyncio
import contextlib
import gc
import json
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

import pytest
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from web.http1 import MAX_FIELDS, MAX_HEAD, Protocol

H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
WEBSOCKET = b"Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
AWAITED = 60.0  # seconds


def post(*rest: bytes, path: bytes = b"/") -> bytes:
    """Return a request; `rest` is further lines of its head, and what follows it."""
    return b"POST %s HTTP/1.1\r\nHost: here\r\n%b" % (path, b"".join(rest))


PLAIN = post(b"\r\n")
# Requests, each with the body that the app must receive.
REQUESTS = [
    (PLAIN, ""),
    (post(b"Content-Length: 5\r\n\r\n", b"first"), "first"),
    (post(H2C, b"Content-Length: 8\r\n\r\n", b"\r\n\r\nGET "), "\r\n\r\nGET "),
    (post(H2C, CHUNKED, b"3\r\nsec\r\n3\r\nond\r\n0\r\n\r\n"), "second"),
    (post(CHUNKED, b"5;a=b\r\nthird\r\n0\r\nIdempotency-Key: late\r\n\r\n"), "third"),
    (post(H2C, b"\r\n"), ""),
    (post(WEBSOCKET, b"Content-Length: 6\r\n\r\n", b"fourth"), "fourth"),
    (post(b"Connection: close\r\nConnection: upgrade\r\nUpgrade: a, b\r\n\r\n"), ""),
]


class App:
    """An app that answers what it received once it may, but `/early` at once."""

    def __init__(self) -> None:
        self.may_answer, self.was_left = asyncio.Event(), asyncio.Event()
        self.may_answer.set()
        self.has_begun = asyncio.Event()
        self.begun = 0

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        """Answer a request, or accept a WebSocket and send a greeting."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            await self.may_answer.wait()
            await send({"type": "websocket.send", "text": "hello"})
            return
        self.begun += 1
        self.has_begun.set()
        body, more = b"", scope["path"] != "/early"
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.was_left.set()
                return
            body, more = body + message["body"], message["more_body"]
        await self.may_answer.wait()
        names = [name.decode() for name, _ in scope["headers"]]
        received = json.dumps({"body": body.decode(), "names": names}).encode()
        headers = [(b"content-length", b"%d" % len(received))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": received})


class Client:
    """One end of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    async def send(self, *pieces: bytes) -> None:
        """Send pieces, each of which arrives by itself."""
        for piece in pieces:
            self.writer.write(piece)
            for _ in range(3):
                await asyncio.sleep(0)

    async def answer(self) -> tuple[int, Any]:
        """Return the status and parsed body of the next answer."""
        async with asyncio.timeout(AWAITED):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
            return int(head.split()[1]), json.loads(await self._reader.readexactly(length))

    async def rest(self) -> bytes:
        """Return everything until the connection ends, even by a reset."""
        async with asyncio.timeout(AWAITED):
            with contextlib.suppress(ConnectionError):
                return await self._reader.read()
        return b""


Connect = Callable[[], Awaitable[Client]]


@pytest.fixture
async def app() -> App:
    """Return the app that is served."""
    return App()


@pytest.fixture
async def connect(app: App) -> AsyncIterator[Connect]:
    """Serve the app as uvicorn does; return a function that connects to it."""
    config = Config(app, lifespan="off", access_log=False)
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: Protocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    clients = []

    async def connect() -> Client:
        streams = await asyncio.open_connection(*server.sockets[0].getsockname())
        clients.append(Client(*streams))
        return clients[-1]

    yield connect
    for client in clients:
        client.writer.close()
    server.close()
    app.may_answer.set()
    while state.tasks:
        await asyncio.wait(state.tasks)


STREAM = b"".join(sent for sent, _ in REQUESTS)


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
async def test_requests_reach_the_app_as_they_were_sent(connect: Connect, size: int) -> None:
    client = await connect()
    await client.send(*(STREAM[at : at + size] for at in range(0, len(STREAM), size)))
    for _, body in REQUESTS:
        status, request = await client.answer()
        assert (status, request["body"]) == (200, body)
        assert not {"upgrade", "idempotency-key"} & set(request["names"])  # that was a trailer
    assert await client.rest() == b""


@pytest.mark.parametrize("end", [post(CHUNKED, b"zz\r\n"), b"\0\r\n\r\n"], ids=["chunk", "head"])
async def test_wherever_requests_are_cut_all_are_answered_before_an_error(
    connect: Connect, end: bytes
) -> None:
    *requests, _ = REQUESTS  # the last closes the connection
    stream = b"".join(sent for sent, _ in requests) + end
    for at in range(1, len(stream)):
        client = await connect()
        await client.send(stream[:at], stream[at:])
        answers = [await client.answer() for _ in requests]
        assert [request["body"] for _, request in answers] == [body for _, body in requests], at
        assert b"HTTP/1.1 200 " not in await client.rest()


async def test_a_large_body_is_no_large_head(connect: Connect) -> None:
    client = await connect()
    size = 4 * MAX_HEAD
    await client.send(post(b"Content-Length: %d\r\n\r\n" % size) + b"x" * size)
    await client.send(
        post(CHUNKED) + b"100\r\n%b\r\n" % (b"y" * 256) * (size // 256) + b"0\r\n\r\n"
    )
    assert [(await client.answer())[1]["body"] for _ in "xy"] == ["x" * size, "y" * size]


async def test_pipelined_requests_are_kept_as_bytes_and_soon_not_read(
    app: App, connect: Connect
) -> None:
    client = await connect()
    app.may_answer.clear()
    await client.send(PLAIN * 1000)
    async with asyncio.timeout(AWAITED):
        await app.has_begun.wait()
    cycles = [thing for thing in gc.get_objects() if isinstance(thing, RequestResponseCycle)]
    own = client.writer.get_extra_info("sockname")
    assert sum(cycle.scope["client"] == own for cycle in cycles) == 1
    app.may_answer.set()
    for _ in range(1000):
        assert (await client.answer())[0] == 200
    app.may_answer.clear()
    await client.send(PLAIN * 1_000_000)  # more than the kernel buffers
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.5):
            await client.writer.drain()
    assert client.writer.transport.get_write_buffer_size()
    client.writer.transport.abort()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\r\n\r\n", 400),
        (post(b"Content-Length: x\r\n\r\n"), 400),
        (post(CHUNKED, b"zz\r\n"), 400),
        (post(b"Transfer-Encoding: gzip\r\n\r\n"), 400),
        (b"CONNECT there:443 HTTP/1.1\r\nHost: here\r\n\r\n", 400),
        (b"CONNECT there:443 HTTP/1.1\r\nHost: here\r\n" + H2C + b"\r\n", 400),
        *((b"CONNECT %b HTTP/1.1\r\n\r\n" % at, 400) for at in (b"/", b"http://there/")),
        (b"GET http://[ HTTP/1.1\r\nHost: here\r\n\r\n", 400),
        (post(b"Long: " + b"x" * 2 * MAX_HEAD + b"\r\n\r\n"), 431),
        (post(b"x" * 2 * MAX_HEAD), 431),
        (post(b"a:\r\n" * 15 * MAX_FIELDS + b"\r\n"), 431),
    ],
    ids=range(12),
)
async def test_what_is_refused_is_answered_after_what_came_before(
    app: App, connect: Connect, sent: bytes, status: int
) -> None:
    client = await connect()
    app.may_answer.clear()
    await client.send(PLAIN * 2 + sent)
    app.may_answer.set()
    assert [(await client.answer())[0] for _ in range(3)] == [200, 200, status]
    assert await client.rest() == b""
    assert app.begun == 2


@pytest.mark.parametrize(
    "rest",
    [
        b"zz\r\n",
        b"0\r\nlate: " + b"x" * MAX_HEAD,
        b"0\r\n" + b"a: b\r\n" * MAX_HEAD,
        b"1" + b";a" * MAX_HEAD,
    ],
    ids=["no chunk", "a long trailer", "many trailers", "a long extension of a chunk"],
)
async def test_a_body_that_breaks_off_gets_no_answer(
    app: App, connect: Connect, rest: bytes
) -> None:
    client = await connect()
    await client.send(post(CHUNKED), rest)  # the app has begun, and may have acted on it
    assert await client.rest() == b""
    async with asyncio.timeout(AWAITED):
        await app.was_left.wait()


@pytest.mark.parametrize(
    ("sent", "statuses"),
    [
        (b"", []),
        (b"GET / HT", [408]),
        (PLAIN + b"GET / HT", [200, 408]),
        (post(b"Content-Length: 5\r\n\r\n1234", path=b"/early"), [200]),
    ],
)
async def test_who_sends_nothing_more_is_let_go(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, sent: bytes, statuses: list[int]
) -> None:
    monkeypatch.setattr("web.http1.TIMEOUT", 0.1)
    client = await connect()
    await client.send(sent)
    assert [(await client.answer())[0] for _ in statuses] == statuses
    assert await client.rest() == b""


async def test_a_websocket_has_no_deadline(
    app: App, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.http1.TIMEOUT", 0.01)
    client = await connect()
    app.may_answer.clear()
    key = b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    await client.send(b"GET / HTTP/1.1\r\nHost: here\r\n" + WEBSOCKET + key)
    await asyncio.sleep(0.1)
    app.may_answer.set()
    received = await client.rest()
    assert received.startswith(b"HTTP/1.1 101 ")
    assert b"hello" in received


async def test_a_body_that_the_app_waits_for_is_the_apps_to_limit(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.http1.TIMEOUT", 0.01)
    client = await connect()
    await client.send(post(b"Content-Length: 4\r\n\r\n"))
    await asyncio.sleep(0.1)
    await client.send(b"body")
    assert await client.answer() == (200, {"body": "body", "names": ["host", "content-length"]})
