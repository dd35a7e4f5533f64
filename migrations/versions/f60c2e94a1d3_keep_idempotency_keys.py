"""keep idempotency keys

Keep the answer to each hit with an `Idempotency-Key`, so that a retry gets the same.

Revision ID: f60c2e94a1d3
Revises: b3f2a6d81c70
Create Date: 2026-11-21 15:40:00
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "f60c2e94a1d3"
down_revision = "b3f2a6d81c70"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_table("idempotency_key", if_exists=True)  # of an interrupted run
    op.create_table(
        "idempotency_key",
        sa.Column("name", ascii_text(129), nullable=False),
        sa.Column("value", ascii_text(64), nullable=False),
        sa.Column("added", mysql.BIGINT(unsigned=True), nullable=False),
        sa.Column("count", mysql.BIGINT(unsigned=True), nullable=False),
        sa.Column("made", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", "value", name=op.f("pk_idempotency_key")),
        sa.Index(op.f("ix_idempotency_key_made"), "made"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
    )


def downgrade() -> None:
    op.drop_table("idempotency_key", if_exists=True)


def ascii_text(length: int) -> mysql.VARCHAR:
    return mysql.VARCHAR(length, charset="ascii", collation="ascii_bin")
