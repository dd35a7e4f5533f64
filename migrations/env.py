"""Alembic's environment: the app's settings and tables."""

import asyncio
import logging
import zlib
from typing import Any

from alembic import context
from alembic.script.revision import ResolutionError
from alembic.util import CommandError
from sqlalchemy import Connection, MetaData, func, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import DropConstraint

import db
import settings
from counter.models import metadata as counter_metadata
from db_connection import NAMES
from migrations.autogenerate import PLUGINS, arrange, include
from web import lifecycle
from web.revisions import advice

config = context.config
target_metadata: list[MetaData] = [counter_metadata]

LOCK_WAIT = 60  # seconds that one migrating process waits for another


def run_migrations_offline() -> None:
    """Write SQL instead of running it: `alembic upgrade head --sql`."""
    context.configure(
        url=db.url(vars(settings), "mysql+pymysql"),
        target_metadata=target_metadata,
        literal_binds=True,
        dialect_opts={"paramstyle": "named"},
    )
    with context.begin_transaction():
        context.run_migrations()


def run_migrations_online() -> None:
    """Migrate the configured database, after waiting for it as the app does."""
    asyncio.run(lifecycle.wait(vars(settings), by_signal=True))
    with db.sync_engine(vars(settings)).connect() as connection:
        migrate(connection)


def migrate(connection: Connection) -> None:
    """Run the revisions, one process at a time."""
    connection.exec_driver_sql(NAMES)  # SQLAlchemy's own SET NAMES has replaced the session's
    lock = f"alembic_{zlib.crc32(str(connection.engine.url.database).encode())}"
    if not connection.scalar(select(func.get_lock(lock, LOCK_WAIT))):
        raise SystemExit(f"Another process has been migrating for {LOCK_WAIT} s: try again later.")
    # Alembic commits its revisions only if no transaction was open before.
    connection.commit()
    connection.dialect.supports_native_uuid = False  # as in db.py, and in offline SQL
    context.configure(
        connection=connection,
        target_metadata=target_metadata,
        autogenerate_plugins=PLUGINS,
        include_object=include,
        process_revision_directives=arrange,
    )
    try:
        with context.begin_transaction():
            context.run_migrations()
    except CommandError as error:
        there, cause = context.get_context().get_current_heads(), error.__cause__
        if isinstance(cause, ResolutionError) and cause.argument in there:
            raise CommandError(advice(there, context.script)) from error
        raise
    connection.scalar(select(func.release_lock(lock)))


@compiles(DropConstraint, "mysql")
def drop_constraint(element: DropConstraint, compiler: Any, **options: Any) -> str:
    """Drop a CHECK in syntax that both servers know: offline SQL may be for either."""
    text: str = compiler.visit_drop_constraint(element, **options)
    return text.replace(" DROP CHECK ", " DROP CONSTRAINT ", 1)


if context.is_offline_mode():
    run_migrations_offline()
elif connection := config.attributes.get("connection"):  # a caller's, such as the harness
    migrate(connection)
else:
    logging.basicConfig(format="%(levelname)-5.5s [%(name)s] %(message)s")
    logging.getLogger("alembic").setLevel(logging.INFO)
    run_migrations_online()
