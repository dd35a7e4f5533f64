"""create counter table

The table of the tutorial that this app grew out of, under the same id: a database made
by following it continues with the next revision.

Revision ID: 2abbbb3287d2
Revises:
Create Date: 2019-09-19 10:46:47
"""

import sqlalchemy as sa
from alembic import op

revision = "2abbbb3287d2"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "counter",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_counter")),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        if_not_exists=True,  # continues a run that was interrupted before it recorded this revision
    )


def downgrade() -> None:
    op.drop_table("counter", if_exists=True)
