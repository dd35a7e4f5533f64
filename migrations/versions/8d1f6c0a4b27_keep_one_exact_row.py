"""keep one exact row

Concurrent first hits of the tutorial's app left several rows: keep the highest count.

The new table is filled beside the old one and replaces it by a single RENAME. MySQL commits each
such statement by itself, so an interrupted run loses nothing, and the next one starts over with
what the table `counter` then has. The app must not count meanwhile: hits between the copy and the
RENAME are lost. A count that does not fit into the older table's 32 bits stops a downgrade, and is
kept.

Revision ID: 8d1f6c0a4b27
Revises: 2abbbb3287d2
Create Date: 2026-11-21 09:30:00
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "8d1f6c0a4b27"
down_revision = "2abbbb3287d2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    drop_leftovers()
    op.create_table(
        "counter_new",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("count", mysql.BIGINT(unsigned=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_counter")),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )
    swap()
    # Last, as a constraint's name is unique in a MySQL database.
    op.create_check_constraint(op.f("ck_counter_single_row"), "counter", "id = 1")


def downgrade() -> None:
    drop_leftovers()
    op.create_table(
        "counter_new",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_counter")),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )
    swap()


def drop_leftovers() -> None:
    op.execute("DROP TABLE IF EXISTS counter_new, counter_old")


def swap() -> None:
    op.execute("INSERT INTO counter_new (id, count) SELECT 1, COALESCE(MAX(count), 0) FROM counter")
    op.execute("RENAME TABLE counter TO counter_old, counter_new TO counter")
    op.execute("DROP TABLE counter_old")
