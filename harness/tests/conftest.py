"""What several of these tests use: empty databases, and an Alembic project made up for a test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from throwaway_mysql.database import throwaway_database
from throwaway_mysql.login import Login

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

NewDatabase = Callable[[], str]
# Is given (up, down) of each revision, one after the other, and code that adds to `metadata`.
WriteProject = Callable[..., Path]


@pytest.fixture
def new_database(mysql_login: Login) -> Iterator[NewDatabase]:
    """Return a function that makes an empty database and returns its name."""
    with ExitStack() as stack:
        yield lambda: str(
            stack.enter_context(throwaway_database(mysql_login, "zoo"))["DATABASE_NAME"]
        )


@pytest.fixture
def write_project(tmp_path: Path) -> WriteProject:
    """Return a function that writes an Alembic project and returns the path of its ini."""

    def write(*revisions: tuple[str, str], models: str = "") -> Path:
        folder = tmp_path / "project"
        (folder / "moves/versions").mkdir(parents=True, exist_ok=True)
        (folder / "alembic.ini").write_text(INI)
        (folder / "moves/env.py").write_text(ENV.format(models=models))
        for number, (up, down) in enumerate(revisions):
            name, below = f"r{number}", f"r{number - 1}" if number else None
            text = REVISION.format(name=name, below=below, up=up, down=down)
            (folder / f"moves/versions/{name}.py").write_text(text)
        return folder / "alembic.ini"

    return write


@pytest.fixture
def fifty(write_project: WriteProject) -> Path:
    """Write a project of fifty revisions: five tables, to which columns are added."""
    columns = "sa.Column('id', sa.Integer, primary_key=True), sa.Column('name', sa.String(9))"
    tables = [(f"op.create_table('t{n}', {columns})", f"op.drop_table('t{n}')") for n in range(5)]
    added = [
        (
            f"op.add_column('t{n % 5}', sa.Column('c{n}', sa.Integer, index=True))",
            f"op.drop_column('t{n % 5}', 'c{n}')",
        )
        for n in range(5, 50)
    ]
    return write_project(*tables, *added)
