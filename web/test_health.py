"""Health checks, and the settings view."""

from http import HTTPStatus

import pytest
from quart.typing import TestClientProtocol as Client
from sqlalchemy import text

from application import create_app
from tests.support.databases import connected
from throwaway_mysql import Database


async def test_live_and_ready(create_test_client: Client) -> None:
    for path, status in (("/health/live", "live"), ("/health/ready", "ready")):
        response = await create_test_client.get(path)
        assert response.status_code == HTTPStatus.OK
        assert await response.get_json() == {"status": status}
        assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("change", "detail", "logged"),
    [
        ("DELETE FROM alembic_version", "run `alembic upgrade head`", "`alembic upgrade head`"),
        ("DROP TABLE alembic_version", "run `alembic upgrade head`", "`alembic upgrade head`"),
        (
            "UPDATE alembic_version SET version_num = 'ffffffffffff'",
            "(revision ffffffffffff): deploy",
            "(revision ffffffffffff): deploy",
        ),
        ("RENAME TABLE {table} TO gone", "schema does not match this program", "{table}"),
        (
            "ALTER TABLE {table} RENAME COLUMN {column} TO gone",
            "schema does not match this program",
            "{column}",
        ),
        (  # an unknown error
            "ALTER TABLE alembic_version ADD n BIGINT UNSIGNED DEFAULT 1;"
            "RENAME TABLE alembic_version TO known;"
            "CREATE VIEW alembic_version AS"
            " SELECT n + 18446744073709551615 AS version_num FROM known",
            "The database is unavailable.",
            "database: BIGINT UNSIGNED value is out of range",
        ),
    ],
    ids=["empty", "no tables", "newer", "no table", "no column", "a fault"],
)
async def test_another_schema_is_said_at_start_up_and_is_not_ready_but_live(
    fresh_db: Database, caplog: pytest.LogCaptureFixture, change: str, detail: str, logged: str
) -> None:
    app = create_app(**fresh_db)
    *_, table = [table for metadata in app.extensions["needed"] for table in metadata.sorted_tables]
    names = {"table": table.name, "column": table.primary_key.columns.keys()[0]}
    with connected(fresh_db) as connection:
        for statement in change.format(**names).split(";"):
            connection.execute(text(statement))
    async with app.test_app():
        client = app.test_client()
        assert logged.format(**names) in caplog.text
        response = await client.get("/health/ready")
        assert (await client.get("/health/live")).status_code == HTTPStatus.OK
    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert response.headers["Retry-After"]
    assert detail in (await response.get_json())["detail"]


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
