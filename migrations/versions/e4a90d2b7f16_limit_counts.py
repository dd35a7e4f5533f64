"""limit counts

No count exceeds 2^53 - 1, JavaScript's largest exact integer.

Revision ID: e4a90d2b7f16
Revises: c7d94e1b5a20
Create Date: 2026-12-01 01:00:00
"""

import sqlalchemy as sa
from alembic import context, op

revision = "e4a90d2b7f16"
down_revision = "c7d94e1b5a20"
branch_labels = None
depends_on = None

NAME = "ck_counter_limit"


def upgrade() -> None:
    if context.is_offline_mode() or not is_there():
        op.create_check_constraint(op.f(NAME), "counter", "count <= 9007199254740991")


def downgrade() -> None:
    if context.is_offline_mode() or is_there():
        op.drop_constraint(op.f(NAME), "counter", type_="check")


def is_there() -> bool:
    """Tell whether an interrupted run has made the constraint."""
    checks = sa.inspect(op.get_bind()).get_check_constraints("counter")
    return NAME in [check["name"] for check in checks]
