"""Made-up projects; of those with Alembic, each revision is what goes up and what goes down."""

from pathlib import Path

from support.sql import run
from throwaway_mysql.login import Login
from throwaway_mysql.schema import AlembicSchema

# The start of a conftest.py, with a fixture for tests that query the database.
RUN_SQL = """
import pytest
from throwaway_mysql import CallableSchema

def execute(login, database, *statements):
    with login.connect() as connection, connection.cursor() as cursor:
        connection.select_db(database)
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchall()

@pytest.fixture
def run_sql(create_db):
    return lambda *statements: execute(create_db.login, create_db.name, *statements)
"""
Revision = tuple[str, str]

SHOP = ("op.create_table('shop', sa.Column('id', sa.Integer))", "op.drop_table('shop')")
NAME = ("op.add_column('shop', sa.Column('name', sa.String(9)))", "op.drop_column('shop', 'name')")
INDEX = ("op.create_index('ix', 'shop', ['name'])", "op.drop_index('ix', 'shop')")
INI = "[alembic]\nscript_location = %(here)s/moves\npath_separator = os\n"
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


def write(folder: Path, *revisions: Revision, models: str = "") -> Path:
    """Write a project, whose env.py executes `models` too, and return the path of its ini."""
    (folder / "moves/versions").mkdir(parents=True, exist_ok=True)
    (folder / "alembic.ini").write_text(INI)
    (folder / "moves/env.py").write_text(ENV.format(models=models))
    for number, (up, down) in enumerate(revisions):
        name, below = f"r{number}", f"r{number - 1}" if number else None
        text = REVISION.format(name=name, below=below, up=up, down=down)
        (folder / f"moves/versions/{name}.py").write_text(text)
    return folder / "alembic.ini"


def tables(login: Login, database: str) -> set[str]:
    """Return the names of a database's tables."""
    return {name for (name,) in run(login, database, "SHOW TABLES")}


def assert_migrates(schema: AlembicSchema, login: Login, database: str) -> None:
    """Check that a schema makes the table of SHOP."""
    schema.make(login, database)
    assert "shop" in tables(login, database)
