"""A warning at start-up if the server may lose committed transactions."""

from dataclasses import dataclass

from quart import Quart
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from web import lifecycle

SEE = "See docs/guarantees.md."
REDO_LOG = {
    0: "hits that were answered are lost where the server is killed or its machine goes down",
    2: "hits that were answered are lost where the server's machine goes down or loses power",
}
BINARY_LOG = "hits that were answered may be lost where the server's machine goes down"


@dataclass(frozen=True)
class Flushing:
    """When the server flushes commits to disk.

    `redo_log` is its `innodb_flush_log_at_trx_commit`; `binary_log` is its `sync_binlog`, or
    None if it writes no binary log.
    """

    redo_log: int
    binary_log: int | None


def init_app(app: Quart) -> None:
    """Check the server's settings when `app` starts."""
    lifecycle.check_at_start(app, warnings)


async def warnings(connection: AsyncConnection) -> list[str]:
    """Return the warnings to log at start-up."""
    return [f"{risk}. {SEE}" for risk in risks(await _read_flushing(connection))]


def risks(flushing: Flushing) -> list[str]:
    """Return a line for each setting that may lose an answered hit."""
    lines = []
    if risk := REDO_LOG.get(flushing.redo_log):  # MariaDB's 3 flushes more often than 1
        lines.append(f"innodb_flush_log_at_trx_commit is {flushing.redo_log}, not 1: {risk}")
    if flushing.binary_log not in (None, 1):
        lines.append(f"sync_binlog is {flushing.binary_log}, not 1: {BINARY_LOG}")
    return lines


async def _read_flushing(connection: AsyncConnection) -> Flushing:
    """Read the server's settings; every account may."""
    query = text(
        "SELECT @@GLOBAL.innodb_flush_log_at_trx_commit, @@GLOBAL.log_bin, @@GLOBAL.sync_binlog"
    )
    redo_log, has_binary_log, binary_log = (await connection.execute(query)).one()
    return Flushing(redo_log, binary_log if has_binary_log else None)
