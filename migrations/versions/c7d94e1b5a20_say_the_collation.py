"""say the collation

With a server's default collation for utf8mb4, all emoji are equal (MariaDB 10.11) or not (MySQL),
so the database and its tables set theirs. Existing columns do not change: each sets ASCII.

Revision ID: c7d94e1b5a20
Revises: f60c2e94a1d3
Create Date: 2026-11-30 19:30:00
"""

from alembic import op

revision = "c7d94e1b5a20"
down_revision = "f60c2e94a1d3"
branch_labels = None
depends_on = None

COLLATION = "CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci"


def upgrade() -> None:
    op.execute(f"ALTER DATABASE {COLLATION}")
    for table in ("counter", "receipt", "idempotency_key"):
        op.execute(f"ALTER TABLE {table} DEFAULT {COLLATION}")


def downgrade() -> None:
    pass  # the former collations were the server's defaults
