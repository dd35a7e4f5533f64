"""Alembic projects of made-up revisions, as a shop might have them, and the models they come to."""

from pathlib import Path

INI = "[alembic]\nscript_location = %(here)s/migrations\npath_separator = os\n"
ENV = """\
from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection)
with context.begin_transaction():
    context.run_migrations()
"""
REVISION = """\
import sqlalchemy as sa
from alembic import op

revision, down_revision = "r{number:02}", {below!r}
branch_labels = depends_on = None


def upgrade():
    op.{operation}
"""
COLUMNS = """
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(50), nullable=False, unique=True),
    sa.Column("made", sa.DateTime, server_default=sa.func.now()),
    sa.Column("parent", sa.Integer, sa.ForeignKey("item{above}.id"))"""
COLUMN = 'sa.Column("c{number}", sa.Integer, index={index})'


def write(folder: Path, revisions: int, tables: int) -> None:
    """Write alembic.ini, migrations/ and models.py into `folder`.

    The first revisions make the tables, the others columns. Every table refers to the one before,
    the first to itself; every second column has an index.
    """
    versions = folder / "migrations/versions"
    versions.mkdir(parents=True)
    (folder / "alembic.ini").write_text(INI)
    (folder / "migrations/env.py").write_text(ENV)
    models = ["import sqlalchemy as sa", "metadata = sa.MetaData()"]
    for number in range(revisions):
        if number < tables:
            columns = COLUMNS.format(above=max(number - 1, 0))
            operation = f'create_table("item{number}", {columns})'
            models.append(f'sa.Table("item{number}", metadata, {columns})')
        else:
            table = f"item{number % tables}"
            column = COLUMN.format(number=number, index=number % 2 == 0)
            operation = f'add_column("{table}", {column})'
            models.append(f'metadata.tables["{table}"].append_column({column})')
        below = f"r{number - 1:02}" if number else None
        text = REVISION.format(number=number, below=below, operation=operation)
        (versions / f"r{number:02}.py").write_text(text)
    (folder / "models.py").write_text("\n".join(models) + "\n")
