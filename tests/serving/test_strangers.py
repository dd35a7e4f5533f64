"""Unusual requests: hits are counted as sent or not at all, and none causes a 500.

Each goes to the real server programs, which treat it differently.
"""

import json
import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import Connection, text

from counter.models import ALL_HOURS
from tests.support.databases import connected, migrated_database
from tests.support.project import PROGRAMS, PROJECT, UVICORN
from tests.support.serving import Serving, free_port, serving
from throwaway_mysql import Login
from web.errors import PROBLEM

OURS, OTHER, HYPERCORN = "uvicorn as in production", "uvicorn by itself", "hypercorn"
SERVERS: dict[str, list[str | Path]] = {
    OURS: [*UVICORN, "--no-access-log", "--port={port}"],
    OTHER: [PROGRAMS / "uvicorn", "--no-access-log", "--port={port}"],
    HYPERCORN: [PROGRAMS / "hypercorn", "--bind=127.0.0.1:{port}"],
}
PAUSE = 0.02  # seconds between pieces, so that each arrives by itself
BREAKS = [b"", b"\r\n", b"\r\n\r\n", b"\0", b"\xff", b" ", b":", b"%", b"0", b"//", b"x" * 70]
HEADERS = b"HTTP/1.1\r\nHost: here\r\n"
HIT = b"POST /api/v1/counters/a/b/hits " + HEADERS
HITS = b"POST /api/v1/hits " + HEADERS
PAGE = b"GET / " + HEADERS
READ = b"GET /api/v1/counters "
JSON = b"Content-Type: application/json\r\n"
H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
ANOTHER = b"Connection: close\r\nConnection: upgrade\r\nUpgrade: another/1\r\n"
WEBSOCKET = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
MANY = json.dumps({"hits": [{"namespace": "a", "key": "b", "by": by} for by in (200, 300)]})


def whole(body: bytes) -> bytes:
    """Return the rest of a request with a body."""
    return b"%sContent-Length: %d\r\n\r\n%b" % (JSON, len(body), body)


def in_chunks(body: bytes) -> bytes:
    """Return the rest of a request with a body in chunks."""
    parts = (body[:5], body[5:], b"")
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    return b"%sTransfer-Encoding: chunked\r\n\r\n%b" % (JSON, chunks)


BODY = b'{"by":500}'
# Requests with an upgrade, and how much each adds to the counters.
UPGRADES = {
    "a length": (HIT + H2C + whole(BODY), 500),
    "chunks": (HIT + H2C + in_chunks(BODY), 500),
    "another protocol": (HIT + ANOTHER + whole(BODY), 500),
    "a websocket by POST": (HIT + WEBSOCKET + whole(BODY), 500),
    "many hits": (HITS + H2C + whole(MANY.encode()), 500),
    "a page with chunks": (PAGE + ANOTHER + in_chunks(BODY), 1),
    "no body": (HIT + ANOTHER + b"\r\n", 1),
}
TARGETS = b"""
    //evil.example/.. /api//v1/counters /%2F http://[ http://a/docs ? * api /api/%
    /static/%00 /static/../../settings.py /api/v1/counters/%00/%ff
    /api/v1/counters?limit=%ff /%0d%0aA:b /?\xff /\xff
"""
LINES = b"""Host: another
Cookie: session=\xff; =
Accept: text/html;q=x,\xff;;=
If-None-Match: "\xff
Range: \xff
Expect: nothing
a b: c
: a
a:\x00
Content-Length: -1
Transfer-Encoding: gzip
Connection: Upgrade"""
ODD = [
    *(b"GET %b " % target + HEADERS + b"\r\n" for target in TARGETS.split()),
    *(PAGE + line + b"\r\n\r\n" for line in LINES.splitlines()),
    *(READ + b"HTTP/1.1\r\nHost: %b\r\n\r\n" % host for host in (b"a..b", b"[", b"\xe9")),
    *(READ + version + b"\r\n\r\n" for version in (b"HTTP/1.1", b"HTTP/1.0")),
    *(head + WEBSOCKET + b"\r\n" for head in (PAGE, HIT, READ + HEADERS, READ + b"HTTP/1.0\r\n")),
    READ + b"HTTP/1.1\r\nHost: a..\xff\r\n" + WEBSOCKET + b"\r\n",
    PAGE + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    PAGE + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    HIT + JSON + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n",
    b"CONNECT a:443 " + HEADERS + b"\r\n",
    b"NONE /api/v1/counters " + HEADERS + b"\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
]


@dataclass(frozen=True)
class Served:
    """A running server program, and a connection to its database."""

    name: str
    app: Serving
    connection: Connection

    def count(self) -> int:
        """Return the sum of all counters."""
        query = text("SELECT CAST(SUM(count) AS UNSIGNED) FROM counter WHERE hour = :all")
        return int(self.connection.scalar(query, {"all": ALL_HOURS}) or 0)

    def ask(self, *pieces: bytes, within: float = 60) -> tuple[int, str] | None:
        """Send pieces; return the status and content type of the answer, or None."""
        received = b""
        try:
            with socket.create_connection(("127.0.0.1", self.app.port), within) as client:
                for piece in pieces:
                    time.sleep(PAUSE if piece is not pieces[0] else 0)
                    client.sendall(piece)
                while b"\r\n\r\n" not in received and (more := client.recv(65536)):
                    received += more
        except OSError:
            pass
        status = re.match(rb"HTTP/1.1 (\d{3}) ", received)
        kind = re.search(rb"\r\ncontent-type: ([^\r;]*)", received, re.I)
        return (int(status[1]), kind[1].decode() if kind else "") if status else None


@pytest.fixture(scope="module")
def served(
    request: pytest.FixtureRequest,
    mysql_server: Login,
    server_environ: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Served]:
    """Serve the app by one of SERVERS, by default as in production."""
    port, name = free_port(), getattr(request, "param", OURS)
    argv = [str(part).format(port=port) for part in SERVERS[name]]
    log = tmp_path_factory.mktemp("strangers") / "log"
    with migrated_database(mysql_server) as database, connected(database) as connection:
        environ = server_environ | database.environ()
        with serving([*argv, "manage:app"], port, environ, PROJECT, log) as app:
            yield Served(name, app, connection)


@pytest.mark.parametrize(
    "served",
    [OURS, *(pytest.param(name, marks=pytest.mark.slow) for name in (OTHER, HYPERCORN))],
    indirect=True,
)
@pytest.mark.parametrize("kind", UPGRADES)
def test_a_hit_with_an_upgrade_counts_as_sent_or_not_at_all(served: Served, kind: str) -> None:
    request, by = UPGRADES[kind]
    head = request.index(b"\r\n\r\n") + 4
    for cuts in ([], [head], [head - 2, len(request) - 2]):
        before = served.count()
        pieces = [request[i:j] for i, j in pairwise([0, *cuts, len(request)])]
        answer = served.ask(*pieces)
        counted = answer is not None and answer[0] == HTTPStatus.OK
        assert counted or served.name == OTHER
        assert answer is None or counted or answer[0] == HTTPStatus.BAD_REQUEST
        assert served.count() == before + by * counted


def test_odd_and_broken_requests_are_answered_and_no_fault(served: Served) -> None:
    for request in ODD:
        status, kind = served.ask(request) or (0, "")
        assert 100 <= status < 500 or status == HTTPStatus.NOT_IMPLEMENTED, request
        assert status < 400 or kind == PROBLEM, request
    chance = Random(7)  # noqa: S311 (no secret)
    sound = [request for request, _ in UPGRADES.values()] + ODD
    with ThreadPoolExecutor(16) as pool:
        broken = [_broken(chance, sound) for _ in range(300)]
        list(pool.map(partial(served.ask, within=0.2), broken))
    assert served.ask(b"GET /health/live " + HEADERS + b"\r\n") == (200, "application/json")
    assert "Traceback" not in served.app.log.read_text()


def _broken(chance: Random, sound: list[bytes]) -> bytes:
    """Return two pipelined requests with a few bytes changed."""
    request = bytearray(b"".join(chance.choices(sound, k=2)))
    for _ in range(chance.randint(1, 5)):
        at = chance.randrange(min(len(request), 500))
        request[at : at + chance.randint(0, 2)] = chance.choice(BREAKS)
    return bytes(request)
