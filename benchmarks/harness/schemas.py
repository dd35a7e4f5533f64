"""Alembic projects of made-up revisions, as a shop might have them."""

from pathlib import Path

INI = "[alembic]\nscript_location = %(here)s/migrations\npath_separator = os\n"
ENV = """\
from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection)
with context.begin_transaction():
    context.run_migrations()
"""
REVISION = '''\
"""Revision {number}."""
import sqlalchemy as sa
from alembic import op

revision = "r{number:02}"
down_revision = {below!r}
branch_labels = depends_on = None


def upgrade():
    {upgrade}
'''
TABLE = """op.create_table(
        "item{number}",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(50), nullable=False, unique=True),
        sa.Column("made", sa.DateTime, server_default=sa.func.now()),{key}
    )"""
KEY = """
        sa.Column("parent", sa.Integer, sa.ForeignKey("item{above}.id")),"""
COLUMN = 'op.add_column("item{table}", sa.Column("c{number}", sa.Integer, index={index}))'


def write(folder: Path, revisions: int, tables: int) -> Path:
    """Write a project whose first revisions make the tables, the others columns; return its ini.

    Every table but the first refers to the one before; every second column has an index.
    """
    versions = folder / "migrations/versions"
    versions.mkdir(parents=True)
    (folder / "alembic.ini").write_text(INI)
    (folder / "migrations/env.py").write_text(ENV)
    for number in range(revisions):
        below = f"r{number - 1:02}" if number else None
        upgrade = _upgrade(number, tables)
        text = REVISION.format(number=number, below=below, upgrade=upgrade)
        (versions / f"r{number:02}.py").write_text(text)
    return folder / "alembic.ini"


def _upgrade(number: int, tables: int) -> str:
    if number < tables:
        key = KEY.format(above=number - 1) if number else ""
        return TABLE.format(number=number, key=key)
    return COLUMN.format(table=number % tables, number=number, index=number % 2 == 0)
