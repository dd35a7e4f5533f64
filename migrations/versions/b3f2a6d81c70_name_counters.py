"""name counters

The one count becomes the counter `default/home`, as its row for the hour 1000-01-01; its other
rows have the hits of each hour. Receipts tell, after a lost connection, whether a batch of hits
was committed.

As before, the new table is filled beside the old one and replaces it by a RENAME, so an interrupted
run can start over; the app must not count meanwhile. A downgrade loses the hours, and all counters
but `default/home`.

Revision ID: b3f2a6d81c70
Revises: 8d1f6c0a4b27
Create Date: 2026-11-21 12:40:00
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "b3f2a6d81c70"
down_revision = "8d1f6c0a4b27"
branch_labels = None
depends_on = None

NAME = mysql.VARCHAR(129, charset="ascii", collation="ascii_bin")
MOMENT = mysql.DATETIME(fsp=6)
COUNT = mysql.BIGINT(unsigned=True)
TABLE: Any = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4"}


def upgrade() -> None:
    drop_leftovers()
    op.create_table(
        "counter_new",
        sa.Column("hour", sa.DateTime(), nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("count", COUNT, nullable=False),
        sa.Column("start", COUNT, server_default="0", nullable=False),
        sa.Column("created", MOMENT, nullable=False),
        sa.Column("updated", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("hour", "name", name=op.f("pk_counter")),
        sa.Index(op.f("ix_counter_name_hour"), "name", "hour"),
        **TABLE,
    )
    op.create_table(
        "receipt",
        sa.Column("writer", COUNT, autoincrement=False, nullable=False),
        sa.Column("number", COUNT, autoincrement=False, nullable=False),
        sa.Column("counts", mysql.LONGTEXT(charset="ascii", collation="ascii_bin"), nullable=False),
        sa.Column("made", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("writer", "number", name=op.f("pk_receipt")),
        **TABLE,
    )
    swap(
        "INSERT INTO counter_new (hour, name, count, start, created, updated) SELECT "
        "'1000-01-01', 'default/home', count, count, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) "
        "FROM counter WHERE count > 0"
    )


def downgrade() -> None:
    drop_leftovers()
    op.create_table(
        "counter_new",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("count", COUNT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_counter")),
        **TABLE,
    )
    swap(
        # Joined by hour and name. In a run that continues after the RENAME, the one row has
        # neither, so the join is by nothing.
        "INSERT INTO counter_new (id, count) SELECT 1, COALESCE(MAX(count), 0) "
        "FROM counter NATURAL JOIN (SELECT TIMESTAMP'1000-01-01 00:00:00' AS hour, "
        "_ascii'default/home' COLLATE ascii_bin AS name) AS home"
    )
    op.create_check_constraint(op.f("ck_counter_single_row"), "counter", "id = 1")


def drop_leftovers() -> None:
    op.execute("DROP TABLE IF EXISTS counter_new, counter_old, receipt")


def swap(fill: str) -> None:
    op.execute(fill)
    op.execute("RENAME TABLE counter TO counter_old, counter_new TO counter")
    op.execute("DROP TABLE counter_old")
