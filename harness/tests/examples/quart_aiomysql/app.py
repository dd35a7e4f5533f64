"""A guest book, on Quart."""

from quart import Quart, request
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import create_async_engine

from models import guest


def create_app(database_url):
    """Return the app on a database."""
    app = Quart(__name__)

    @app.while_serving
    async def database():
        app.engine = create_async_engine(database_url)
        yield
        await app.engine.dispose()

    @app.get("/guests")
    async def show():
        async with app.engine.connect() as connection:
            return list(await connection.scalars(select(guest.c.name).order_by(guest.c.id)))

    @app.post("/guests")
    async def greet():
        async with app.engine.begin() as connection:
            await connection.execute(insert(guest).values(name=(await request.json)["name"]))
        return "", 201

    return app
