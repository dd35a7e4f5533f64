"""HTTP/1.1 under uvicorn: `uvicorn --http web.http1:Protocol manage:app`.

This is uvicorn's httptools protocol with two fixes. A request with `Connection: Upgrade` keeps its
body, which httptools skips. And a connection has limits: on the size of a head, on the time that
it takes, and on the number of requests in progress.
"""

import asyncio
import inspect
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from werkzeug.exceptions import (
    BadRequest,
    HTTPException,
    RequestHeaderFieldsTooLarge,
    RequestTimeout,
)

from web.errors import PROBLEM, problem

MAX_HEAD = 32 * 1024  # bytes; also of trailers and chunk extensions
MAX_FIELDS = 100  # in a head that is longer than PART
PART = 4 * 1024  # bytes of a head, or of chunks, that are parsed at once
TIMEOUT = 30.0  # seconds, for a head, and for the rest of a body once it is answered
BLANK_LINE = b"\r\n\r\n"  # ends a head, and a body in chunks
TOO_LARGE = f"The head of a request may have {MAX_FIELDS} fields and {MAX_HEAD:,} bytes."
TOO_SLOW = f"A request must come within {TIMEOUT:.0f} seconds."
NO_TARGET = "This is not HTTP/1.1: the target is not a path, or the URL of one."
NO_TUNNEL = "CONNECT is for proxies, and this is none."
STOPS = httptools.HttpParserUpgrade, httptools.HttpParserError
HANDSHAKE = {b"sec-websocket-key", b"sec-websocket-version", b"host"}


class Protocol(HttpToolsProtocol):
    """A connection, whose requests are parsed and answered one at a time.

    `cycle` is uvicorn's name for the newest request whose head is complete. Until that is
    answered, what arrives is buffered as bytes, and reading is paused.

    Speed matters here: every hit passes through. So of the uvicorn callbacks that every request
    runs, only on_message_complete is overridden, by a cheaper one.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._buffered = b""
        self._deadline: asyncio.TimerHandle | None = None  # set while a request is incomplete
        self._body_size = 0  # bytes of its body so far
        self._overhead = 0  # bytes parsed since the last part of a body
        self._last_answer: bytes | None = None  # set when nothing more is read

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the first request's deadline."""
        super().connection_made(transport)
        self._check_limits()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the deadline."""
        super().connection_lost(exc)
        self._cancel_deadline()

    def data_received(self, data: bytes) -> None:
        """Parse what arrived, or buffer it until the request before it is answered."""
        self._unset_keepalive_if_required()
        alone = not self._deadline and self.cycle.response_complete
        if not alone or data.find(BLANK_LINE, 0, PART) + 4 != len(data):
            self._read(data)
            return
        # Usually one head arrives and nothing else. For it, this is _parse, inlined for speed.
        try:
            self.parser.feed_data(data)
        except STOPS as stop:
            self._on_stop(data, stop)
        if self.cycle.more_body or self.cycle.scope is not self.scope:
            self._check_limits()

    def on_chunk_header(self) -> None:
        """Keep trailers out of the headers (RFC 9110, 6.5.1)."""
        self.headers = []

    def on_body(self, body: bytes) -> None:
        """Count the body."""
        self._body_size += len(body)
        self._overhead = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Mark the request as complete, even if it was answered before its end."""
        if not self.parser.should_upgrade():
            self._body_size = self._overhead = 0
            self.cycle.more_body = False
            self.cycle.message_event.set()

    def _should_upgrade(self) -> bool:
        # If this is true, uvicorn skips the request. _on_stop handles every upgrade.
        return any(name == b"upgrade" for name, _ in self.headers)

    def _is_handshake(self) -> bool:
        """Tell whether this is a WebSocket handshake that wsproto can read."""
        values = dict(self.headers)
        return (
            super()._should_upgrade()
            and self.parser.get_method() == b"GET"
            and values.keys() >= HANDSHAKE
            and all(value.isascii() for _, value in self.headers)
            and _is_idna(values[b"host"])
        )

    def _is_answering(self) -> bool:
        """Tell whether the newest request is complete but not yet answered."""
        cycle = self.cycle
        return cycle is not None and not cycle.response_complete and not cycle.more_body

    def _is_in_head(self) -> bool:
        """Tell whether the next request's head is incomplete or has not begun to arrive."""
        return self.cycle is None or self.cycle.scope is not self.scope

    def _is_in_body(self) -> bool:
        return not self._is_in_head() and self.cycle.more_body

    def _read(self, data: bytes) -> None:
        start, end = 0, 0
        while start < len(data) and self._last_answer is None:
            if self._is_answering():
                return self._buffer(data[start:])
            end = self._end_of_part(data, start)
            self._parse(data[start:end])
            start = end
        return None

    def _end_of_part(self, data: bytes, start: int) -> int:
        """Return where to stop parsing, so that at most one request ends before there."""
        if self._is_in_body() and (length := dict(self.headers).get(b"content-length")):
            return start + int(length) - self._body_size
        if start == 0 and self._deadline:
            return 3  # the blank line may have begun in the previous data
        found = data.find(BLANK_LINE, max(start - 3, 0), start + PART)
        return found + 4 if found >= 0 else start + PART

    def _parse(self, data: bytes) -> None:
        self._overhead += len(data)
        try:
            self.parser.feed_data(data)
        except STOPS as stop:
            self._on_stop(data, stop)
        cycle = self.cycle
        if self._deadline or cycle is None or cycle.more_body or cycle.scope is not self.scope:
            self._check_limits()

    def _on_stop(self, data: bytes, stop: Exception) -> None:
        """Handle an upgrade, at which the parser stops, or an error."""
        if isinstance(stop, httptools.HttpParserUpgrade):
            if self._is_handshake():
                self._last_answer = b""
                self.handle_websocket_upgrade()
            elif self.parser.get_method() == b"CONNECT":  # the parser stops at each
                self._refuse(BadRequest(NO_TUNNEL))
            else:
                # An upgrade may be ignored (RFC 9110, 7.8), but httptools has skipped the body.
                head = self._head_without_upgrade()
                self.parser = httptools.HttpRequestParser(self)
                self._parse(head + data[stop.args[0] :])
        elif isinstance(stop, httptools.HttpParserCallbackError):
            self._refuse(BadRequest(NO_TARGET))
        else:
            self._refuse(BadRequest(f"This is not HTTP/1.1: {stop}."))

    def _head_without_upgrade(self) -> bytes:
        version = self.parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version)]
        for name, value in self.headers:
            if name == b"connection":
                options = value.split(b",")
                value = b",".join(o for o in options if o.strip().lower() != b"upgrade")
            if name != b"upgrade":
                lines.append(b"%s: %s" % (name, value))
        return b"\r\n".join(lines) + BLANK_LINE

    def _buffer(self, data: bytes) -> None:
        """Keep data until the newest request is answered."""
        self._buffered += data
        self.flow.pause_reading()
        self.cycle.on_response = self._resume

    def _resume(self) -> None:
        self.on_response_complete()
        if self._last_answer is not None:
            self._end()
        elif not self.transport.is_closing():
            held, self._buffered = self._buffered, b""
            self.data_received(held)

    def _check_limits(self) -> None:
        """Limit the size and duration of an incomplete request."""
        if self._last_answer is not None or not (self._is_in_head() or self.cycle.more_body):
            self._cancel_deadline()
            return
        if self._overhead > MAX_HEAD or (
            self._is_in_head() and len(self.headers or ()) > MAX_FIELDS
        ):
            self._refuse(RequestHeaderFieldsTooLarge(TOO_LARGE))
        elif not self._deadline:
            self._deadline = self.loop.call_later(TIMEOUT, self._on_deadline)

    def _cancel_deadline(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None

    def _on_deadline(self) -> None:
        self._deadline = None
        if self.cycle and not self.cycle.response_complete:
            self._check_limits()  # the app waits for a body: BODY_TIMEOUT is its limit
        elif self.scope and self._is_in_head():
            self._refuse(RequestTimeout(TOO_SLOW))
        else:
            self.transport.close()

    def _refuse(self, error: HTTPException) -> None:
        """Stop reading, and send the error once earlier requests are answered."""
        self.logger.warning(error.description)
        self._cancel_deadline()
        self._last_answer = self._answer(error)
        if self._is_answering():
            self.cycle.on_response = self._resume
            return
        if self._is_in_body() and not self._withdraw():
            self._last_answer = b""  # the app may have acted on it: any status might be wrong
        self._end()

    def _withdraw(self) -> bool:
        """Cancel the newest request if the app has not started on it; tell whether it worked."""
        for task in self.tasks:
            run: Any = task.get_coro()
            if inspect.getcoroutinelocals(run).get("self") is self.cycle:
                return inspect.getcoroutinestate(run) == inspect.CORO_CREATED and task.cancel()
        return False

    def _answer(self, error: HTTPException) -> bytes:
        body = problem(error).encode()
        headers = [
            *self.server_state.default_headers,
            (b"content-type", PROBLEM.encode()),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
        ]
        lines = [b"%s: %s\r\n" % header for header in headers]
        return b"".join([STATUS_LINE[error.code or 400], *lines, b"\r\n", body])

    def _end(self) -> None:
        if self._last_answer and not self.transport.is_closing():
            self.transport.write(self._last_answer)
        self.transport.close()


def _is_idna(host: bytes) -> bool:
    try:
        host.decode("idna")
    except UnicodeError:
        return False
    return True
