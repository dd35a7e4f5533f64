"""The counters' tables, and one function a query, connection first."""

from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    Index,
    MetaData,
    Table,
    bindparam,
    delete,
    func,
    select,
)
from sqlalchemy.dialects.mysql import BIGINT, DATETIME, LONGTEXT, VARCHAR
from sqlalchemy.ext.asyncio import AsyncConnection

from counter.hits import MAX_COUNT
from db import TABLE

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
NAME_TYPE = VARCHAR(129, charset="ascii", collation="ascii_bin")  # namespace/key
COUNT_TYPE = BIGINT(unsigned=True)
MOMENT_TYPE = DATETIME(fsp=6)  # all times are UTC

# A counter is its row of the hour ALL_HOURS, which has the count; each other row has what came in
# one hour. In one table, one statement adds to both.
ALL_HOURS = datetime(1000, 1, 1)  # noqa: DTZ001 (all times are UTC; it is the first of MySQL)
counter_table = Table(
    "counter",
    metadata,
    Column("hour", DateTime, primary_key=True),
    Column("name", NAME_TYPE, primary_key=True),
    Column("count", COUNT_TYPE, nullable=False),
    Column("start", COUNT_TYPE, nullable=False, server_default="0"),  # what no hour has
    Column("created", MOMENT_TYPE, nullable=False),
    Column("updated", MOMENT_TYPE, nullable=False),
    Index(None, "name", "hour"),
    CheckConstraint(f"count <= {MAX_COUNT}", "limit"),
    **TABLE,
)
LIMIT = "ck_counter_limit"  # as the servers name what a hit violates

# What a writer was told when its batch of that number was committed: see counter/batching/sql.py.
receipt_table = Table(
    "receipt",
    metadata,
    Column("writer", COUNT_TYPE, primary_key=True, autoincrement=False),
    Column("number", COUNT_TYPE, primary_key=True, autoincrement=False),
    Column("counts", LONGTEXT(charset="ascii", collation="ascii_bin"), nullable=False),
    Column("made", DateTime, nullable=False),  # without an index, which each batch would pay for
    **TABLE,
)

# What a hit with an idempotency key was answered. Each key is kept for a day at least.
idempotency_key_table = Table(
    "idempotency_key",
    metadata,
    Column("name", NAME_TYPE, primary_key=True),
    Column("value", VARCHAR(64, charset="ascii", collation="ascii_bin"), primary_key=True),
    Column("added", COUNT_TYPE, nullable=False),
    Column("count", COUNT_TYPE, nullable=False),
    Column("made", DateTime, nullable=False),
    Index(None, "made"),
    **TABLE,
)


@dataclass(frozen=True)
class Counter:
    """A counter as it is stored; the times are UTC."""

    name: str
    count: int
    created: datetime
    updated: datetime


COUNTER = select(*(counter_table.c[field.name] for field in fields(Counter))).where(
    counter_table.c.hour == ALL_HOURS
)


async def read_counter(connection: AsyncConnection, name: str) -> Counter | None:
    """Return the counter, or None before its first hit."""
    row = (await connection.execute(COUNTER.where(counter_table.c.name == name))).one_or_none()
    return Counter(*row) if row else None


async def read_counters(
    connection: AsyncConnection, namespace: str | None, after: str, limit: int
) -> list[Counter]:
    """Return the first counters behind the name `after`, of one namespace or of all."""
    name = counter_table.c.name
    query = COUNTER.where(name > after).order_by(name).limit(limit)
    if namespace:
        # A range of the primary key: in ASCII, 0 follows the slash.
        query = query.where(name > f"{namespace}/", name < f"{namespace}0")
    return [Counter(*row) for row in await connection.execute(query)]


async def read_hours(
    connection: AsyncConnection, name: str, start: datetime, end: datetime
) -> list[tuple[datetime, int]]:
    """Return the hours with hits that begin from `start` on and before `end`, and their counts."""
    c = counter_table.c
    query = select(c.hour, c.count).where(c.name == name, c.hour >= start, c.hour < end)
    query = query.where(c.hour != ALL_HOURS).order_by(c.hour)
    return [(hour, count) for hour, count in await connection.execute(query)]


async def remove_older(
    connection: AsyncConnection, table: Table, made_before: datetime, limit: int
) -> int:
    """Remove up to `limit` rows that were made before then; return how many."""
    key = list(table.primary_key)
    query = select(*(column.label(f"of_{column.name}") for column in key))
    query = query.where(table.c.made < made_before).order_by(table.c.made).limit(limit)
    old = (await connection.execute(query)).all()
    if old:
        # One by one: a DELETE of many may go through the table, and would wait for rows that
        # batches under way have locked. Another purge may have been first, and the key be new.
        each = delete(table).where(*(column == bindparam(f"of_{column.name}") for column in key))
        each = each.where(table.c.made < made_before)
        await connection.execute(each, [row._asdict() for row in old])
    return len(old)


async def read_clock(connection: AsyncConnection) -> datetime:
    """Return the server's time, which is UTC."""
    now: datetime = (await connection.execute(select(func.utc_timestamp(6)))).scalar_one()
    return now
