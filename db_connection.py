"""A connection to the database: its session's settings, its errors and its end."""

import asyncio
import ssl
from typing import Any

import aiomysql
from pymysql import MySQLError, OperationalError
from pymysql.constants import CLIENT, COMMAND, CR
from sqlalchemy import URL

# Equally strict on every server, whose configuration would else decide, say, whether a long text is
# truncated. STRICT_ALL_TABLES is for tables of engines without transactions.
MODES = (
    "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,"
    "ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
)
# The newest collation that both servers have; to older ones, all emoji are equal.
NAMES = "SET NAMES utf8mb4 COLLATE utf8mb4_unicode_520_ci"
QUIT = b"\x01\x00\x00\x00" + bytes([COMMAND.COM_QUIT])
NOTICED_WITHIN = 2  # seconds beyond its limits that a session may take to end

leaving: set[asyncio.Task[None]] = set()  # event loops hold tasks weakly


def session(within: float | None = None) -> str:
    """Return the statement that gives a session the same settings on every server.

    With `within`, queries end after so many seconds, and waits for locks a second sooner, after
    one second at least. MySQL has no such limit for DML.
    """
    limits = ""
    if within:
        lock = max(1, int(within) - 1)
        # Each server runs the comment meant for it: "Comments" in both manuals.
        limits = (
            f", lock_wait_timeout = {lock}, innodb_lock_wait_timeout = {lock}"
            f" /*!80000 , max_execution_time = {max(1, int(within * 1000))} */"
            f" /*M! , max_statement_time = {within} */"
        )
    return (
        f"{NAMES}, autocommit = 0, sql_mode = '{MODES}',"
        " time_zone = '+00:00', completion_type = 'NO_CHAIN', default_storage_engine = 'InnoDB',"
        f" group_concat_max_len = 1048576{limits}"
    )


async def connect(
    to: URL,
    tls: ssl.SSLContext | None,
    within: float | None = None,
    slots: asyncio.Semaphore | None = None,
) -> "Connection":
    """Connect, with the limits of `within`.

    With a context that verifies nothing, a server without TLS is accepted too. The connection
    takes one of `slots`, and returns it when its session has ended.
    """
    connection = Connection(
        slots or asyncio.Semaphore(),
        within or 0,
        host=to.host,
        port=to.port,
        user=to.username,
        password=to.password,
        db=to.database,
        charset="utf8mb4",
        ssl=tls,
        autocommit=None,  # session() sets it
        init_command=session(within),
        client_flag=CLIENT.FOUND_ROWS,  # SQLAlchemy needs it
    )
    await connection._connect()  # noqa: SLF001 (as aiomysql.connect does)
    return connection


class Connection(aiomysql.Connection):  # type: ignore[misc]  # it has no types
    """aiomysql's connection; it raises the driver's errors on every event loop.

    A session whose query was abandoned goes on: MySQL does not notice until the query ends. The
    session keeps its slot until then, or ever more of them would pile up.
    """

    def __init__(self, slots: asyncio.Semaphore, within: float, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._slots, self._within = slots, within
        self._has_slot = self._is_busy = False
        self._reader: Any
        self._writer: Any
        self._ssl_context: ssl.SSLContext | None

    def character_set_name(self) -> None:
        """Keep SQLAlchemy from running SET NAMES, which would undo the session's collation."""

    def close(self) -> None:
        """Close without QUIT."""
        if self._writer:
            self._writer.transport.abort()  # TLS would send a goodbye, even after the loop's end
        super().close()
        self._free_slot()

    async def ensure_closed(self) -> None:
        """Send QUIT, and close."""
        if self._writer and not self._writer.transport.is_closing():
            self._writer.write(QUIT)
        self.close()

    async def _connect(self) -> None:
        await self._slots.acquire()
        self._has_slot = True
        try:
            await super()._connect()
        except BaseException as error:
            self._free_slot()
            if tls := _tls_error(error):
                raise OperationalError(CR.CR_SSL_CONNECTION_ERROR, f"TLS: {tls}") from error
            if not isinstance(error, Exception) or _is_known(error):
                raise
            # Another protocol's bytes may raise anything; so may a peer that hangs up, with uvloop.
            raise OperationalError(
                CR.CR_SERVER_HANDSHAKE_ERR, f"it speaks no MySQL ({error!r})"
            ) from error

    async def _get_server_information(self) -> None:
        await super()._get_server_information()
        # aiomysql would go on without TLS whatever was asked for, but tell the server otherwise.
        if self._ssl_context and not self.server_capabilities & CLIENT.SSL:
            if self._ssl_context.verify_mode:
                raise OperationalError(CR.CR_SSL_CONNECTION_ERROR, "the server offers no TLS")
            self._ssl_context = None
            self.client_flag &= ~CLIENT.SSL

    async def _execute_command(self, command: int, sql: str | bytes) -> None:
        self._is_busy = command == COMMAND.COM_QUERY  # not a ping: it keeps no session busy
        await super()._execute_command(command, sql)

    def _write_bytes(self, data: bytes) -> None:
        # uvloop would raise RuntimeError once it has seen the connection end.
        if self._writer.transport.is_closing():
            self.close()
            raise OperationalError(CR.CR_SERVER_GONE_ERROR, "the connection was closed")
        super()._write_bytes(data)

    def _close_on_cancel(self) -> None:
        if self._is_busy and self._has_slot:
            self._has_slot = False  # _leave returns it
            task = asyncio.create_task(self._leave(self._reader, self._writer))
            leaving.add(task)
            task.add_done_callback(leaving.discard)
            self._reader = self._writer = None
        super()._close_on_cancel()

    def _free_slot(self) -> None:
        if self._has_slot:
            self._has_slot = False
            self._slots.release()

    async def _leave(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Wait until the server has ended the session, within the session's limits."""
        try:
            async with asyncio.timeout(self._within + NOTICED_WITHIN):
                writer.write(QUIT)
                while await reader.read(2**16):
                    pass  # the abandoned answer
        except (OSError, RuntimeError):
            pass  # lost, or out of time
        finally:
            writer.transport.abort()
            self._slots.release()


def _is_known(error: Exception) -> bool:
    return isinstance(error, MySQLError) and bool(error.args) and isinstance(error.args[0], int)


def _tls_error(error: BaseException) -> str:
    """Return an error of TLS itself, not of the connection."""
    cause = error.__cause__
    if not isinstance(cause, ssl.SSLError) or isinstance(cause, ssl.SSLEOFError):
        return ""
    return str(cause)
