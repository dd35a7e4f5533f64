"""The fixtures that are in pytest-asyncio's event loops; a plugin where that is installed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest_asyncio

from throwaway_mysql.plugin.engines import rolled_back_async
from throwaway_mysql.plugin.fixtures import database_scope

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from throwaway_mysql.plugin.lifespan import State


@pytest_asyncio.fixture
async def _db_connection_by_asyncio(db_engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    async with rolled_back_async(db_engine) as connection:
        yield connection


@pytest_asyncio.fixture(scope=database_scope)
async def _create_test_app_by_asyncio(
    _mysql_app: Any, mysql_app_state: State
) -> AsyncIterator[None]:
    from throwaway_mysql.plugin.lifespan import running

    async with running(_mysql_app, mysql_app_state):
        yield
