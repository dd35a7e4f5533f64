"""A guest book, on Flask."""

from flask import Flask, request
from sqlalchemy import text


def create_app(sessions):
    """Return the app; `sessions`, a sessionmaker, opens sessions on its database."""
    app = Flask(__name__)

    @app.get("/guests")
    def guests():
        with sessions() as session:
            return list(session.scalars(text("SELECT name FROM guest ORDER BY id")))

    @app.post("/guests")
    def greet():
        with sessions.begin() as session:
            session.execute(text("INSERT INTO guest (name) VALUES (:name)"), request.json)
        return "", 201

    return app
