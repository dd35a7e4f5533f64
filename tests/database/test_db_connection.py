"""Connections: their session settings, how they are lost, and how many there are."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import replace
from typing import Any

import pytest
import uvloop
from alembic import command
from alembic.config import Config
from pymysql.cursors import Cursor
from quart import Quart
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import ServiceUnavailable

import db
from application import create_app
from counter.purge import purge
from db_connection import session
from tests.support.databases import new_database
from tests.support.project import ALEMBIC
from tests.support.proxy import Proxy
from throwaway_mysql import Database, Login, Server

POOL = 3
HITS = "/api/v1/counters/a/b/hits"
ODD = (  # what a server may be set to, but the app's sessions are not
    "sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT', time_zone = '+05:00', completion_type = 'RELEASE',"
    " default_storage_engine = 'MyISAM', autocommit = 0, group_concat_max_len = 4,"
    " collation_server = 'utf8mb4_general_ci'"
)


@asynccontextmanager
async def started(**config: Any) -> AsyncIterator[Quart]:
    """Start an app with a pool full of idle connections, and a view as a beginner writes it."""
    app = create_app(**config, DB_POOL_SIZE=POOL)

    @app.get("/note")
    async def note() -> str:
        async with db.transaction() as connection:
            await connection.execute(text("UPDATE counter SET start = start WHERE name = 'no/ne'"))
            return str(await connection.scalar(text("SELECT 1")))

    async with app.test_app(), app.app_context():
        async with AsyncExitStack() as held:
            for _ in range(POOL):
                await held.enter_async_context(db.transaction())
        yield app


def sessions(cursor: Cursor, database: str, command: str = "%") -> list[int]:
    """Return the ids of the database's sessions that are in this state."""
    cursor.execute(
        "SELECT id FROM information_schema.processlist WHERE db = %s AND command LIKE %s",
        (database, command),
    )
    return [number for (number,) in cursor.fetchall()]


async def kill(login: Login, database: str, _: Proxy) -> None:
    """Kill all sessions, as a server does with idle ones."""
    with login.connect() as connection, connection.cursor() as cursor:
        for session in sessions(cursor, database):
            cursor.execute("KILL %s", (session,))
        while sessions(cursor, database):  # noqa: ASYNC110 (it is another program's)
            await asyncio.sleep(0.01)


async def reset(_login: Login, _database: str, proxy: Proxy) -> None:
    """Reset all connections, as a load balancer does with idle ones."""
    proxy.reset()
    await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)
@pytest.mark.parametrize("lose", [kill, reset])
def test_idle_connections_that_were_lost_fail_no_request(
    create_db: Database, mysql_server: Login, loop: Any, lose: Any
) -> None:
    async def scenario() -> None:
        proxy = Proxy(create_db["DB_HOST"], create_db["DB_PORT"])
        async with proxy.open(), started(**{**create_db, **proxy.address}) as app:
            client = app.test_client()
            assert (await client.post(HITS)).status_code == 200
            for path in ("/note", "/health/ready", "/api/v1/counters", "/api/v1/counters/a/b"):
                await lose(mysql_server, create_db["DATABASE_NAME"], proxy)
                answers = await asyncio.gather(*(client.get(path) for _ in range(POOL)))
                assert [answer.status_code for answer in answers] == [200] * POOL, path
            await lose(mysql_server, create_db["DATABASE_NAME"], proxy)
            await purge(app.extensions["engine"], None)
            assert (await client.post(HITS)).status_code == 200

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(scenario())


@pytest.mark.parametrize("lock", ["LOCK TABLES {}.counter WRITE", ""], ids=["lock", "long query"])
async def test_requests_that_are_given_up_leave_no_more_sessions_than_the_pool_has(
    fresh_db: Database, mysql_server: Login, lock: str
) -> None:
    """Each session outlives its request: the server need not notice that it was given up."""
    name = fresh_db["DATABASE_NAME"]
    query = "SELECT COUNT(*) FROM counter" if lock else "SELECT SLEEP(60)"

    async def ask() -> None:
        with pytest.raises(ServiceUnavailable):
            async with db.transaction() as connection:
                await connection.execute(text(query))

    async with started(**fresh_db, DB_TIMEOUT=2) as app:
        with mysql_server.connect() as held, mysql_server.connect() as watching:
            held.cursor().execute(lock.format(name) or "DO 0")
            most, observer = 0, watching.cursor()
            async with asyncio.TaskGroup() as asking:
                for _ in range(4 * POOL):
                    asking.create_task(ask())
                    await asyncio.sleep(0.1)
                    most = max(most, len(sessions(observer, name, "Query")))
            async with asyncio.timeout(60):  # they end, though the lock that they wait for stays
                while sessions(observer, name, "Query"):  # noqa: ASYNC110 (it is another program's)
                    await asyncio.sleep(0.05)
            held.cursor().execute("UNLOCK TABLES")
        assert most == POOL
        assert (await app.test_client().get("/note")).status_code == 200


async def test_a_server_that_hangs_while_the_block_does_something_else_is_not_waited_for(
    create_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = Proxy(create_db["DB_HOST"], create_db["DB_PORT"])

    async def hang(_packet: bytes, _to_server: bool) -> None:  # noqa: FBT001 (as it is called)
        await asyncio.Event().wait()

    async with proxy.open(), started(**{**create_db, **proxy.address}) as app:
        monkeypatch.setitem(app.config, "DB_TIMEOUT", 0.2)
        async with asyncio.timeout(60):
            with pytest.raises(ServiceUnavailable):  # noqa: PT012 (the block is what is tested)
                async with db.transaction() as connection:
                    await connection.execute(text("SELECT 1"))
                    proxy.watch = hang
                    await asyncio.Event().wait()


@pytest.fixture
def odd_db(mysql_program: str) -> Iterator[Database]:
    """Create a database on a server with odd settings, and migrate it as usual."""
    with closing(Server(mysql_program)) as server:
        with server.root.connect() as connection:
            connection.cursor().execute("SET GLOBAL " + ODD.replace(", ", ", GLOBAL "))
        config = Config(toml_file=ALEMBIC)
        with new_database(replace(server.root, init_command=session())) as coordinates:
            with db.sync_engine(coordinates).connect() as config.attributes["connection"]:
                command.upgrade(config, "head")
            yield coordinates


async def test_what_is_left_to_a_server_changes_nothing(odd_db: Database) -> None:
    keyed = {"Idempotency-Key": "once"}
    async with started(**odd_db) as app:
        client = app.test_client()
        answers = [await (await client.post(HITS, headers=keyed)).get_json() for _ in range(3)]
        assert [answer["count"] for answer in answers] == [1, 1, 1]
        async with db.transaction() as connection:
            same = text(
                "SELECT 'a' || 'b' = 0, NOW() = UTC_TIMESTAMP(), '\U0001f355' = '\U0001f37a'"
            )
            assert (await connection.execute(same)).one() == (1, 1, 0)
            await connection.execute(
                text("CREATE TABLE odd (id INT PRIMARY KEY, t VARCHAR(3), d DATE)")
            )
            engines = text("SELECT engine FROM information_schema.tables WHERE table_name = 'odd'")
            assert await connection.scalar(engines) == "InnoDB"
            await connection.execute(text("INSERT INTO odd (id, t) VALUES (1, 'abc'), (2, 'def')"))
            assert await connection.scalar(text("SELECT GROUP_CONCAT(t) FROM odd")) == "abc,def"
        for refused in (
            "INSERT INTO odd (id, t) VALUES (3, 'too long')",
            "INSERT INTO odd (id) VALUES (1 / 0)",
            "INSERT INTO odd (id, d) VALUES (3, '2026-00-01')",
            "SELECT t, MAX(id) FROM odd GROUP BY d",
        ):
            with pytest.raises(DBAPIError):
                async with db.transaction() as connection:
                    await connection.execute(text(refused))
