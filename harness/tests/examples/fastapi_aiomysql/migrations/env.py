"""Alembic's environment."""

import os

from alembic import context
from sqlalchemy import create_engine

from models import metadata


def migrate(connection):
    """Run the migrations."""
    context.configure(connection=connection, target_metadata=metadata)
    with context.begin_transaction():
        context.run_migrations()


if connection := context.config.attributes.get("connection"):  # the tests' database
    migrate(connection)
else:
    with create_engine(os.environ["DATABASE_URL"]).connect() as connection:
        migrate(connection)
