"""The engine, transactions and the wait for the database."""

import asyncio
import re
import socket
import time
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest
from quart import Quart
from sqlalchemy import Column, MetaData, Table, Uuid, insert, select, text
from werkzeug.exceptions import ServiceUnavailable

import db
import settings
from application import create_app
from tests.support.listening import listening
from throwaway_mysql import Database, Login
from throwaway_mysql.grants import set_up
from web import lifecycle

AWKWARD = "%s%%@:/#?&;'\"`\\ $é☃"


@pytest.fixture(scope="module")
async def app(create_test_app: Quart) -> AsyncIterator[Quart]:
    """Enter the app's context, where transaction() finds its engine."""
    async with create_test_app.app_context():
        yield create_test_app


@pytest.fixture
def account(create_db: Database, mysql_root: Login) -> Iterator[Database]:
    """Create a user whose name and password have special characters."""
    user = f"u%{create_db['DATABASE_NAME'][-8:]}"
    with mysql_root.connect() as connection:
        set_up(connection, create_db["DATABASE_NAME"], user, AWKWARD)
        yield Database(create_db, DB_USERNAME=user, DB_PASSWORD=AWKWARD, DB_WAIT=60)
        with connection.cursor() as cursor:
            cursor.execute("DROP USER %s@'%%'", (user,))


@pytest.mark.usefixtures("app")
async def test_a_transaction_is_committed_at_its_end_and_undone_on_an_error() -> None:
    async with db.transaction() as connection:
        await connection.execute(text("CREATE TABLE note (n INT)"))
        await connection.execute(text("INSERT INTO note VALUES (1)"))
    with pytest.raises(KeyError):  # noqa: PT012 (the block is what is tested)
        async with db.transaction() as connection:
            await connection.execute(text("INSERT INTO note VALUES (2)"))
            raise KeyError
    async with db.transaction() as connection:
        assert await connection.scalar(text("SELECT SUM(n) FROM note")) == 1


@pytest.mark.usefixtures("app")
async def test_bytes_and_every_script_survive_the_way_there_and_back() -> None:
    # PyMySQL 1.2.1 and later break bytes parameters under aiomysql 0.3.2.
    values = {"b": bytes(range(256)), "t": "ä☃\N{PILE OF POO}"}
    async with db.transaction() as connection:
        row = (await connection.execute(text("SELECT :b, :t"), values)).one()
    assert row[0] == values["b"]
    assert row[1] == values["t"]


@pytest.mark.usefixtures("app")
async def test_a_uuid_fits_the_column_that_sql_made_offline_has_for_it() -> None:
    known, table = uuid4(), Table("known", MetaData(), Column("id", Uuid, primary_key=True))
    async with db.transaction() as connection:
        await connection.execute(text("CREATE TABLE known (id CHAR(32) NOT NULL PRIMARY KEY)"))
        await connection.execute(insert(table), {"id": known})
        assert (await connection.execute(select(table))).scalars().all() == [known]
        await connection.execute(text("DROP TABLE known"))


async def test_a_cancelled_request_harms_no_other(app: Quart) -> None:
    async def slow() -> None:
        async with db.transaction() as connection:
            started.set()
            await connection.execute(text("DO SLEEP(1)"))

    for _ in range(app.config["DB_POOL_SIZE"] + 1):
        started = asyncio.Event()
        task = asyncio.create_task(slow())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    async with db.transaction() as connection:
        assert await connection.scalar(text("SELECT 1")) == 1


async def test_a_query_that_takes_too_long_ends_as_unavailable(
    app: Quart, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "DB_TIMEOUT", 0.2)
    with pytest.raises(ServiceUnavailable):
        async with db.transaction() as connection:
            await connection.execute(text("DO SLEEP(60)"))


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize("error", [TimeoutError, ConnectionResetError, RuntimeError])
async def test_what_else_fails_in_the_block_is_no_outage(error: type[Exception]) -> None:
    with pytest.raises(error):  # noqa: PT012 (the block is what is tested)
        async with db.transaction() as connection:
            await connection.execute(text("SELECT 1"))
            raise error


async def test_an_app_that_was_not_started_says_so(create_db: Database) -> None:
    async with create_app(**create_db).app_context():
        with pytest.raises(RuntimeError, match="The app is not started"):
            async with db.transaction():
                pass


async def test_the_end_of_the_app_closes_its_connections(
    create_db: Database, mysql_server: Login
) -> None:
    app = create_app(**create_db)
    async with app.test_app(), app.app_context(), db.transaction() as connection:
        number = await connection.scalar(text("SELECT CONNECTION_ID()"))
    deadline = time.monotonic() + 60  # the server takes its time
    with mysql_server.connect() as observer, observer.cursor() as cursor:
        while cursor.execute(f"SELECT 1 FROM information_schema.processlist WHERE id = {number}"):
            assert time.monotonic() < deadline, "a connection is still open"


async def test_every_way_to_log_in_takes_any_password(account: Database) -> None:
    app = create_app(**account)
    async with app.test_app():
        assert (await app.test_client().get("/health/ready")).status_code == 200
    (await db.connect(app.config)).close()
    db.sync_engine(app.config).connect().close()  # as migrations do


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("IDENTIFIED BY 'another'", "Access denied .* DB_USERNAME and DB_PASSWORD name"),
        ("ACCOUNT LOCK", "locked"),
        ("PASSWORD EXPIRE", "expired"),
    ],
)
async def test_an_account_that_may_not_log_in_is_one_line_at_once(
    account: Database, mysql_root: Login, change: str, reason: str
) -> None:
    with mysql_root.connect() as connection, connection.cursor() as root:
        root.execute(f"ALTER USER %s@'%%' {change}", (account["DB_USERNAME"],))
    with pytest.raises(SystemExit) as end:
        await lifecycle.wait({**vars(settings), **account})
    line = str(end.value)
    target = "{DATABASE_NAME} at {DB_HOST}:{DB_PORT} as {DB_USERNAME}".format_map(account)
    assert re.match(rf"No database {re.escape(target)} in [1-4]?\d s \(DB_WAIT\): .*{reason}", line)
    assert AWKWARD not in line
    assert "\n" not in line


async def test_an_unknown_database_is_one_line_that_says_what_to_do(create_db: Database) -> None:
    nowhere = create_db["DATABASE_NAME"][:-1] + "x"  # a name that accounts other than root may use
    config = {**vars(settings), **create_db, "DATABASE_NAME": nowhere, "DB_WAIT": 60}
    with pytest.raises(SystemExit, match=r"Unknown database .* `quart mysql setup`"):
        await lifecycle.wait(config)


@pytest.mark.parametrize("greeting", [b"SSH-2.0-OpenSSH\r\n", b"\x01\x00\x00\x00", b"\x00" * 64])
async def test_a_stranger_that_greets_ends_in_one_line(greeting: bytes) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        writer.close()

    async with listening(greet) as port:
        with pytest.raises(SystemExit, match=f"No database .*:{port} as ") as end:
            await lifecycle.wait(dict(vars(settings), DB_PORT=port, DB_WAIT=0))
    assert "\n" not in str(end.value)


@pytest.mark.parametrize("listens", [False, True], ids=["nobody listens", "a stranger listens"])
async def test_waiting_shows_progress_and_gives_up_with_one_line(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *, listens: bool
) -> None:
    monkeypatch.setattr(lifecycle, "PROGRESS_EVERY", 0)
    with socket.socket() as port:
        port.bind(("127.0.0.1", 0))
        if listens:  # but never greets, as MySQL would
            port.listen()
        config = dict(vars(settings), DB_PORT=port.getsockname()[1], DB_WAIT=2, DB_TIMEOUT=0.3)
        with pytest.raises(SystemExit) as end:
            await lifecycle.wait(config)
    assert str(end.value).startswith(
        "No database {DATABASE_NAME} at {DB_HOST}:{DB_PORT} as {DB_USERNAME} in ".format_map(config)
    )
    assert "\n" not in str(end.value)
    assert "Waiting for database" in capfd.readouterr().err
