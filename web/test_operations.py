"""Health and settings, as those who run the app ask for them."""

from collections.abc import AsyncIterator
from http import HTTPStatus

import pytest
from quart import Quart
from quart.typing import TestClientProtocol as Client

import db
import settings
from application import create_app
from harness.database import Coordinates, throwaway_database
from harness.login import Login
from harness.migrations import migrate
from testing import ALEMBIC_INI


@pytest.fixture(scope="module")
async def unmigrated_app(mysql_login: Login) -> AsyncIterator[Quart]:
    """Start the app on the tutorial's schema, which is not the newest."""
    with throwaway_database(mysql_login, settings.DATABASE_NAME) as coordinates:
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


async def test_an_older_schema_is_said_at_start_up_and_is_not_ready(
    mysql_login: Login, caplog: pytest.LogCaptureFixture
) -> None:
    with throwaway_database(mysql_login, settings.DATABASE_NAME) as coordinates:
        migrate(db.url(coordinates, "mysql+pymysql"), ALEMBIC_INI, "2abbbb3287d2")
        app = create_app(**coordinates, TESTING=True)
        async with app.test_app():
            response = await app.test_client().get("/health/ready")
    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert "alembic upgrade head" in caplog.text


async def test_app_settings_masks_secrets(create_db: Coordinates) -> None:
    client = create_app(**create_db, QUART_ENV="development").test_client()
    response = await client.get("/app-settings")
    shown = await response.get_json()
    assert shown["DB_PORT"] == create_db["DB_PORT"]
    for name in ("SECRET_KEY", "DB_PASSWORD", "MYSQL_ROOT_PASSWORD"):
        assert shown[name] == "***"
    body = await response.get_data(as_text=True)
    assert create_db["DB_PASSWORD"][:16] not in body
    assert "DB_URI" not in body


async def test_app_settings_is_not_there_in_production(create_db: Coordinates) -> None:
    client = create_app(**create_db, QUART_ENV="production").test_client()
    assert (await client.get("/app-settings")).status_code == HTTPStatus.NOT_FOUND
