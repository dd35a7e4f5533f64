"""Made-up Alembic projects: each revision is what goes up and what goes down."""

from collections.abc import Sequence
from pathlib import Path

Revision = tuple[str, str]

INI = """[alembic]
script_location = %(here)s/moves
path_separator = os
"""
ENV = """
from alembic import context
from sqlalchemy import Column, Integer, MetaData, String, Table

metadata = MetaData()
{models}
connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
"""
REVISION = '''"""{name}"""
import sqlalchemy as sa
from alembic import op

revision = "{name}"
down_revision = {below!r}
branch_labels = depends_on = None


def upgrade():
    {up}


def downgrade():
    {down}
'''


def write(folder: Path, revisions: Sequence[Revision], models: str = "") -> Path:
    """Write a project, whose env.py executes `models` too, and return the path of its ini."""
    (folder / "moves/versions").mkdir(parents=True, exist_ok=True)
    (folder / "alembic.ini").write_text(INI)
    (folder / "moves/env.py").write_text(ENV.format(models=models))
    for number, (up, down) in enumerate(revisions):
        name, below = f"r{number}", f"r{number - 1}" if number else None
        text = REVISION.format(name=name, below=below, up=up, down=down)
        (folder / f"moves/versions/{name}.py").write_text(text)
    return folder / "alembic.ini"


def fifty() -> list[Revision]:
    """Return fifty revisions: five tables, to which columns are added."""
    columns = "sa.Column('id', sa.Integer, primary_key=True), sa.Column('name', sa.String(9))"
    tables = [(f"op.create_table('t{n}', {columns})", f"op.drop_table('t{n}')") for n in range(5)]
    added = [
        (
            f"op.add_column('t{n % 5}', sa.Column('c{n}', sa.Integer, index=True))",
            f"op.drop_column('t{n % 5}', 'c{n}')",
        )
        for n in range(5, 50)
    ]
    return [*tables, *added]
