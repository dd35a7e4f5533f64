"""The counter's table, and one function a query, connection first."""

from sqlalchemy import CheckConstraint, Column, Integer, MetaData, Table, func, select
from sqlalchemy.dialects.mysql import BIGINT, insert
from sqlalchemy.ext.asyncio import AsyncConnection

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

counter_table = Table(
    "counter",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("count", BIGINT(unsigned=True), nullable=False),
    CheckConstraint("id = 1", name="single_row"),
    mysql_engine="InnoDB",
    mysql_charset="utf8mb4",
)

# One statement, built once: the row's lock makes concurrent hits take turns, and
# LAST_INSERT_ID(n) hands n back with the answer ("Information Functions" in MySQL's manual).
COUNT_HIT = (
    insert(counter_table)
    .values(id=1, count=func.last_insert_id(1))
    .on_duplicate_key_update(count=func.last_insert_id(counter_table.c.count + 1))
)


async def count_hit(connection: AsyncConnection) -> int:
    """Add one and return the new count, which no other hit gets."""
    return (await connection.execute(COUNT_HIT)).lastrowid


async def read_count(connection: AsyncConnection) -> int | None:
    """Return the count, or None before the first hit."""
    return await connection.scalar(select(counter_table.c.count))
