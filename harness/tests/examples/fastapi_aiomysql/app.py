"""A guest book, on FastAPI."""

from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Body, FastAPI
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import create_async_engine

from models import guest


def create_app(database_url):
    """Return the app on a database."""

    @asynccontextmanager
    async def lifespan(app):
        app.state.engine = create_async_engine(database_url)
        yield
        await app.state.engine.dispose()

    app = FastAPI(lifespan=lifespan)

    @app.get("/guests")
    async def guests():
        async with app.state.engine.connect() as connection:
            return list(await connection.scalars(select(guest.c.name).order_by(guest.c.id)))

    @app.post("/guests", status_code=201)
    async def greet(name: Annotated[str, Body(embed=True)]):
        async with app.state.engine.begin() as connection:
            await connection.execute(insert(guest).values(name=name))

    return app
