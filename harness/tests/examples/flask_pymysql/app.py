"""A guest book, on Flask."""

from flask import Flask, request
from sqlalchemy import create_engine, text


def create_app(database_url):
    """Return the app on a database."""
    app = Flask(__name__)
    engine = create_engine(database_url)

    @app.get("/guests")
    def guests():
        with engine.connect() as connection:
            return list(connection.scalars(text("SELECT name FROM guest ORDER BY id")))

    @app.post("/guests")
    def greet():
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO guest (name) VALUES (:name)"), request.json)
        return "", 201

    return app
