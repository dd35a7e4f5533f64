"""The warning about a server that may lose committed transactions."""

from collections.abc import Iterator
from typing import Any

import pytest

from application import create_app
from counter.durability import Flushing, risks
from counter.hits import UnavailableError
from counter.testing import running_batcher, stored_count
from tests.support.databases import connected, migrated_database
from throwaway_mysql import Database, Server
from throwaway_mysql.grants import set_up


@pytest.fixture(scope="module")
def server(mysql_program: str) -> Iterator[Server]:
    """Start the module's own server, with a binary log, as tests change its global settings."""
    server = Server(mysql_program, flags=["--log-bin=binary", "--server-id=1"])
    yield server
    server.close()


@pytest.fixture(scope="module")
def account(server: Server) -> Iterator[Database]:
    """Create a database, and an account without rights elsewhere."""
    with migrated_database(server.root) as coordinates, server.root.connect() as root:
        set_up(root, coordinates["DATABASE_NAME"], "app", "password")
        yield Database(coordinates, DB_USERNAME="app", DB_PASSWORD="password")  # noqa: S106


async def start_on(server: Server, account: Database, flush: int, sync: int) -> None:
    """Start and end an app on the server with these settings."""
    with server.root.connect() as connection, connection.cursor() as root:
        root.execute("SET GLOBAL innodb_flush_log_at_trx_commit = %s", (flush,))
        root.execute("SET GLOBAL sync_binlog = %s", (sync,))
    async with create_app(**account).test_app():
        pass


async def test_a_server_that_flushes_each_commit_is_not_warned_about(
    server: Server, account: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await start_on(server, account, flush=1, sync=1)
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("settings", "named", "risk"),
    [
        ({"flush": 0, "sync": 1}, "innodb_flush_log_at_trx_commit is 0", "the server is killed"),
        ({"flush": 2, "sync": 1}, "innodb_flush_log_at_trx_commit is 2", "loses power"),
        ({"flush": 1, "sync": 0}, "sync_binlog is 0", "machine goes down"),
        ({"flush": 1, "sync": 100}, "sync_binlog is 100", "machine goes down"),
    ],
)
async def test_a_setting_that_may_lose_hits_is_one_line_that_names_it(
    server: Server,
    account: Database,
    caplog: pytest.LogCaptureFixture,
    settings: dict[str, Any],
    named: str,
    risk: str,
) -> None:
    await start_on(server, account, **settings)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    line = record.getMessage()
    assert line.startswith(f"{named}, not 1: hits that were answered ")
    assert risk in line
    assert "\n" not in line


@pytest.mark.parametrize("flush", [1, 3])
def test_without_a_binary_log_its_setting_means_nothing(flush: int) -> None:
    assert risks(Flushing(redo_log=flush, binary_log=None)) == []


async def test_a_binary_log_of_statements_refuses_every_hit_and_counts_none(
    server: Server, account: Database
) -> None:
    with server.root.connect() as connection, connection.cursor() as root:
        root.execute("SET GLOBAL binlog_format = STATEMENT")
        try:
            async with running_batcher(account) as batcher:
                # Either "not" or "may have been": an attempt may be running at the deadline.
                with pytest.raises(UnavailableError, match="counted"):
                    await batcher.hit("a/b", within=0.3)
        finally:
            root.execute("SET GLOBAL binlog_format = ROW")
    with connected(account) as beside:
        assert stored_count(beside) == 0
