"""The counters' tables, and a function for each query, which takes the connection first."""

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

# A counter's row for the hour ALL_HOURS has its count; each of its other rows has the hits of one
# hour. Both are in one table, so that one statement adds to both.
ALL_HOURS = datetime(1000, 1, 1)  # noqa: DTZ001 (all times are UTC; MySQL's first)
counter_table = Table(
    "counter",
    metadata,
    Column("hour", DateTime, primary_key=True),
    Column("name", NAME_TYPE, primary_key=True),
    Column("count", COUNT_TYPE, nullable=False),
    Column("start", COUNT_TYPE, nullable=False, server_default="0"),  # from before it had hours
    Column("created", MOMENT_TYPE, nullable=False),
    Column("updated", MOMENT_TYPE, nullable=False),
    Index(None, "name", "hour"),
    CheckConstraint(f"count <= {MAX_COUNT}", "limit"),
    **TABLE,
)
LIMIT = "ck_counter_limit"  # as the servers' error names it

# The counts after each committed batch: see counter/batching/sql.py.
receipt_table = Table(
    "receipt",
    metadata,
    Column("writer", COUNT_TYPE, primary_key=True, autoincrement=False),
    Column("number", COUNT_TYPE, primary_key=True, autoincrement=False),
    Column("counts", LONGTEXT(charset="ascii", collation="ascii_bin"), nullable=False),
    Column("made", DateTime, nullable=False),  # no index: each batch would pay for it
    **TABLE,
)

# The answer to each hit with an idempotency key. A key is kept for at least a day.
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
    """Return the first counters after the name `after`, in one namespace or in all."""
    name = counter_table.c.name
    query = COUNTER.where(name > after).order_by(name).limit(limit)
    if namespace:
        # A range of the primary key: in ASCII, 0 follows the slash.
        query = query.where(name > f"{namespace}/", name < f"{namespace}0")
    return [Counter(*row) for row in await connection.execute(query)]


async def read_hours(
    connection: AsyncConnection, name: str, start: datetime, end: datetime
) -> list[tuple[datetime, int]]:
    """Return the hours with hits that begin in `start` <= hour < `end`, and their counts."""
    c = counter_table.c
    query = select(c.hour, c.count).where(c.name == name, c.hour >= start, c.hour < end)
    query = query.where(c.hour != ALL_HOURS).order_by(c.hour)
    return [(hour, count) for hour, count in await connection.execute(query)]


async def remove_older(
    connection: AsyncConnection, table: Table, made_before: datetime, limit: int
) -> int:
    """Remove up to `limit` rows made before `made_before`; return how many."""
    key = list(table.primary_key)
    query = select(*(column.label(f"of_{column.name}") for column in key))
    query = query.where(table.c.made < made_before).order_by(table.c.made).limit(limit)
    old = (await connection.execute(query)).all()
    if old:
        # One by one: a DELETE of many rows may scan the table, and wait for rows that running
        # batches have locked. `made` is checked again: another purge may have removed the key, and
        # a new hit used it.
        each = delete(table).where(*(column == bindparam(f"of_{column.name}") for column in key))
        each = each.where(table.c.made < made_before)
        await connection.execute(each, [row._asdict() for row in old])
    return len(old)


async def read_clock(connection: AsyncConnection) -> datetime:
    """Return the server's time, in UTC."""
    now: datetime = (await connection.execute(select(func.utc_timestamp(6)))).scalar_one()
    return now
