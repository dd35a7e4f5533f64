"""Health and settings, as those who run the app ask for them."""

from collections.abc import AsyncIterator
from http import HTTPStatus

import pytest
from quart import Quart
from quart.typing import TestClientProtocol as Client
from sqlalchemy import text

import settings
from application import create_app
from testing import connected, migrated_database
from throwaway_mysql import Login
from throwaway_mysql.databases.database import Coordinates, throwaway_database


@pytest.fixture(scope="module")
async def unmigrated_app(mysql_server: Login) -> AsyncIterator[Quart]:
    """Start the app on the tutorial's schema, which is not the newest."""
    with throwaway_database(mysql_server, settings.DATABASE_NAME) as coordinates:
        app = create_app(**coordinates, TESTING=True)
        async with app.test_app():
            yield app


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


async def test_without_tables_the_page_says_what_to_do(unmigrated_app: Quart) -> None:
    response = await unmigrated_app.test_client().get("/")
    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert "alembic upgrade head" in await response.get_data(as_text=True)


@pytest.mark.parametrize("revision", ["2abbbb3287d2", "ffffffffffff"], ids=["older", "newer"])
async def test_another_schema_is_said_at_start_up_and_is_not_ready(
    mysql_server: Login, caplog: pytest.LogCaptureFixture, revision: str
) -> None:
    with migrated_database(mysql_server) as coordinates:
        with connected(coordinates) as connection:
            connection.execute(text(f"UPDATE alembic_version SET version_num = '{revision}'"))
        app = create_app(**coordinates, TESTING=True)
        async with app.test_app():
            response = await app.test_client().get("/health/ready")
    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    said = await response.get_data(as_text=True)
    assert "another schema than this program" in said
    assert "alembic upgrade head" in said
    assert "another schema than this program" in caplog.text


@pytest.mark.parametrize("change", ["ALTER TABLE counter DROP updated", "DROP TABLE receipt"])
async def test_a_schema_that_was_damaged_is_not_ready(fresh_db: Coordinates, change: str) -> None:
    with connected(fresh_db) as connection:
        connection.execute(text(change))
    app = create_app(**fresh_db)
    async with app.test_app():
        response = await app.test_client().get("/health/ready")
    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert "another schema than this program" in await response.get_data(as_text=True)


FAIL = """CREATE FUNCTION fail() RETURNS INT READS SQL DATA
BEGIN
  DECLARE chosen INT;
  SELECT number INTO chosen FROM failure;
  SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = chosen, MESSAGE_TEXT = 'on purpose';
  RETURN 1;
END"""


async def test_whatever_the_database_fails_with_is_not_ready_and_in_the_log(
    fresh_db: Coordinates, caplog: pytest.LogCaptureFixture
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
