"""Health and settings, as those who run the app ask for them."""

from collections.abc import AsyncIterator
from http import HTTPStatus

import pytest
from quart import Quart
from quart.typing import TestClientProtocol as Client
from sqlalchemy import text

from application import create_app
from db import transaction
from tests.support.databases import connected, new_database
from throwaway_mysql import Database, Login


@pytest.fixture(scope="module")
async def unmigrated_app(mysql_server: Login) -> AsyncIterator[Quart]:
    """Start the app on a database without tables."""
    with new_database(mysql_server) as coordinates:
        app = create_app(**coordinates, TESTING=True)
        app.add_url_rule("/without-tables", view_func=read)
        async with app.test_app():
            yield app


async def read() -> str:
    """Look into a table that is not there."""
    async with transaction() as connection:
        return str(await connection.scalar(text("SELECT 1 FROM nothing")))


async def test_live_and_ready(create_test_client: Client) -> None:
    for path, status in (("/health/live", "live"), ("/health/ready", "ready")):
        response = await create_test_client.get(path)
        assert response.status_code == HTTPStatus.OK
        assert await response.get_json() == {"status": status}
        assert response.headers["Cache-Control"] == "no-store"


async def test_without_tables_it_lives_but_is_not_ready(unmigrated_app: Quart) -> None:
    client = unmigrated_app.test_client()
    assert (await client.get("/health/live")).status_code == HTTPStatus.OK
    response = await client.get("/health/ready")
    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert "alembic upgrade head" in await response.get_data(as_text=True)


async def test_without_tables_a_view_says_what_to_do(unmigrated_app: Quart) -> None:
    response = await unmigrated_app.test_client().get("/without-tables")
    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert "alembic upgrade head" in await response.get_data(as_text=True)


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        ("DELETE FROM alembic_version", "run `alembic upgrade head`"),
        (
            "UPDATE alembic_version SET version_num = 'ffffffffffff'",
            "(revision ffffffffffff): deploy",
        ),
    ],
    ids=["older", "newer"],
)
async def test_another_schema_is_said_at_start_up_and_is_not_ready(
    fresh_db: Database, caplog: pytest.LogCaptureFixture, change: str, remedy: str
) -> None:
    with connected(fresh_db) as connection:
        connection.execute(text(change))
    app = create_app(**fresh_db, TESTING=True)
    async with app.test_app():
        response = await app.test_client().get("/health/ready")
    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert remedy in (await response.get_json())["detail"]
    assert remedy in caplog.text


@pytest.mark.parametrize(
    "change", ["RENAME TABLE `{}` TO gone", "ALTER TABLE `{}` RENAME COLUMN `{}` TO gone"]
)
async def test_a_schema_that_was_damaged_is_not_ready(fresh_db: Database, change: str) -> None:
    app = create_app(**fresh_db)
    *_, table = [table for metadata in app.extensions["needed"] for table in metadata.sorted_tables]
    with connected(fresh_db) as connection:
        connection.execute(text(change.format(table.name, *table.primary_key.columns.keys())))
    async with app.test_app():
        response = await app.test_client().get("/health/ready")
    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert "schema does not match this program" in await response.get_data(as_text=True)


FAIL = """CREATE FUNCTION fail() RETURNS INT READS SQL DATA
BEGIN
  DECLARE chosen INT;
  SELECT number INTO chosen FROM failure;
  SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = chosen, MESSAGE_TEXT = 'on purpose';
  RETURN 1;
END"""


async def test_whatever_the_database_fails_with_is_not_ready_and_in_the_log(
    fresh_db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(**fresh_db)
    with connected(fresh_db) as connection:
        for statement in (
            "CREATE TABLE failure SELECT 9001 AS number",
            FAIL,
            "RENAME TABLE alembic_version TO known",
            "CREATE VIEW alembic_version AS SELECT version_num FROM known WHERE fail()",
        ):
            connection.execute(text(statement))
        async with app.test_app():
            for number in (1020, 1021, 1114, 1205, 1290, 1317, 1820, 9001):
                connection.execute(text(f"UPDATE failure SET number = {number}"))
                caplog.clear()
                response = await app.test_client().get("/health/ready")
                assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE, number
                assert response.headers["Retry-After"]
                assert caplog.messages == ["database: on purpose"]


async def test_app_settings_masks_secrets() -> None:
    secrets = dict.fromkeys(["SECRET_KEY", "DB_PASSWORD", "MYSQL_ROOT_PASSWORD"], "never-shown")
    more = {"DB_PORT": 65432, "DB_URI": "mysql://root:never-shown@127.0.0.1"}
    client = create_app(**secrets, **more, QUART_ENV="development").test_client()
    response = await client.get("/app-settings")
    shown = await response.get_json()
    assert shown["DB_PORT"] == 65432
    for name in secrets:
        assert shown[name] == "***"
    assert "never-shown" not in await response.get_data(as_text=True)


async def test_app_settings_is_not_there_in_production() -> None:
    client = create_app(QUART_ENV="production").test_client()
    assert (await client.get("/app-settings")).status_code == HTTPStatus.NOT_FOUND
