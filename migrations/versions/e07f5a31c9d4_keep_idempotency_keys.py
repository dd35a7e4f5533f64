"""keep idempotency keys

What a hit with an `Idempotency-Key` was answered, so that a repeat is answered the same. And
receipts lose their index, which each batch of hits paid for.

Both tables are made beside and filled, so a run that is cut short is begun anew, while the app
does not count.

Revision ID: e07f5a31c9d4
Revises: c41d90a7e5b2
Create Date: 2026-11-21 15:40:00
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "e07f5a31c9d4"
down_revision = "c41d90a7e5b2"
branch_labels = None
depends_on = None


TABLE: Any = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4"}
COUNT = mysql.BIGINT(unsigned=True)


def upgrade() -> None:
    drop_leftovers()
    op.create_table(
        "idempotency_key",
        sa.Column("name", ascii_text(129), nullable=False),
        sa.Column("value", ascii_text(64), nullable=False),
        sa.Column("added", COUNT, nullable=False),
        sa.Column("count", COUNT, nullable=False),
        sa.Column("made", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", "value", name=op.f("pk_idempotency_key")),
        sa.Index(op.f("ix_idempotency_key_made"), "made"),
        **TABLE,
    )
    replace_receipts()


def downgrade() -> None:
    drop_leftovers()
    replace_receipts(sa.Index(op.f("ix_receipt_made"), "made"))


def drop_leftovers() -> None:
    op.execute("DROP TABLE IF EXISTS idempotency_key, receipt_new, receipt_old")


def replace_receipts(*index: sa.Index) -> None:
    op.create_table(
        "receipt_new",
        sa.Column("writer", COUNT, autoincrement=False, nullable=False),
        sa.Column("number", COUNT, autoincrement=False, nullable=False),
        sa.Column("counts", mysql.LONGTEXT(charset="ascii", collation="ascii_bin"), nullable=False),
        sa.Column("made", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("writer", "number", name=op.f("pk_receipt")),
        *index,
        **TABLE,
    )
    op.execute("INSERT INTO receipt_new SELECT * FROM receipt")
    op.execute("RENAME TABLE receipt TO receipt_old, receipt_new TO receipt")
    op.execute("DROP TABLE receipt_old")


def ascii_text(length: int) -> mysql.VARCHAR:
    return mysql.VARCHAR(length, charset="ascii", collation="ascii_bin")
