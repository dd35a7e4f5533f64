"""A guest book, on Flask."""

from flask import Flask, request
from sqlalchemy import create_engine, text
from sqlalchemy.orm import sessionmaker


def greet(session, name):
    """Write a guest's name into the book."""
    session.execute(text("INSERT INTO guest (name) VALUES (:name)"), {"name": name})
    session.commit()


def names(session):
    """Return all names, in the order in which the guests came."""
    return list(session.scalars(text("SELECT name FROM guest ORDER BY id")))


def create_app(database_url):
    """Return the app on a database."""
    app = Flask(__name__)
    sessions = sessionmaker(create_engine(database_url))

    @app.get("/guests")
    def show():
        with sessions() as session:
            return names(session)

    @app.post("/guests")
    def write():
        with sessions() as session:
            greet(session, request.json["name"])
        return "", 201

    return app
