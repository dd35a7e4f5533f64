"""Tests of a project's migrations, to import in one of its test modules.

    from throwaway_mysql.migration_tests import *

They use the fixtures `mysql_server`, `mysql_schema` (an AlembicSchema) and `empty_database`.
Each test has its own database, because DDL is not transactional. To leave a test out, import the
others by name.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

import pytest

from throwaway_mysql.connections import SLOWEST
from throwaway_mysql.databases import Database
from throwaway_mysql.errors import ServerError
from throwaway_mysql.login import Login
from throwaway_mysql.schema import AlembicSchema, Schema
from throwaway_mysql.schema_text import differences, lines

try:
    from throwaway_mysql.migrations import AlembicProject
except ModuleNotFoundError as error:
    lacking = str(error.name).partition(".")[0]
    line = f"the tests of migrations need {lacking}: pip install alembic sqlalchemy"
    raise pytest.fail.Exception(line, pytrace=False) from None

__all__ = [
    "test_each_revision_goes_down_and_up_again",
    "test_models_and_migrations_agree",
    "test_there_is_one_head",
    "test_up_down_up_leaves_the_same_schema",
]

WITHOUT_MODELS = "does not provide a MetaData object"  # Alembic's words


def test_there_is_one_head(
    mysql_schema: Schema, mysql_server: Login, empty_database: Database
) -> None:
    """Fail if there is more than one head, as after merging two Git branches."""
    with _project(mysql_schema, mysql_server, empty_database) as project:
        heads = project.script.get_heads()
    if len(heads) != 1:
        _fail(f"there are {len(heads)} heads ({', '.join(heads)}): run `alembic merge heads`")


def test_models_and_migrations_agree(
    mysql_schema: Schema, mysql_server: Login, empty_database: Database
) -> None:
    """Fail if `alembic check` does: autogenerate would find a difference."""
    with _project(mysql_schema, mysql_server, empty_database) as project:
        project.upgrade()
        try:
            project.check()
        except ServerError as error:
            if WITHOUT_MODELS in str(error):
                pytest.skip("no target_metadata in env.py: there are no models to compare")
            _fail(f"{error}: run `alembic revision --autogenerate`")


def test_up_down_up_leaves_the_same_schema(
    mysql_schema: Schema, mysql_server: Login, empty_database: Database
) -> None:
    """Fail if a downgrade to base and a second upgrade give another schema than the first."""
    with _project(mysql_schema, mysql_server, empty_database) as project:
        project.upgrade()
        first = _lines(mysql_server, empty_database)
        try:
            project.downgrade("base")
        except NotImplementedError as error:
            pytest.skip(f"a revision has no way down: {error}")
        project.upgrade()
    if different := differences(first, _lines(mysql_server, empty_database)):
        _fail(f"after up, down, up the schema differs: {different}")


def test_each_revision_goes_down_and_up_again(
    mysql_schema: Schema, mysql_server: Login, empty_database: Database
) -> None:
    """Fail if downgrading one revision and upgrading again gives another schema.

    A revision whose downgrade raises NotImplementedError is only upgraded.
    """
    with _project(mysql_schema, mysql_server, empty_database) as project:
        revisions = [found.revision for found in project.script.walk_revisions()][::-1]
        for revision in revisions:
            project.upgrade(revision)
            first = _lines(mysql_server, empty_database)
            if not _down_and_up(project, revision, revisions):
                continue
            if different := differences(first, _lines(mysql_server, empty_database)):
                _fail(f"revision {revision}, down and up again, makes another schema: {different}")


def _down_and_up(project: AlembicProject, revision: str, revisions: list[str]) -> bool:
    """Downgrade a revision and upgrade again; return whether it can be downgraded."""
    before = sorted(project.current(), key=revisions.index)
    below = project.script.get_revision(revision).down_revision
    if isinstance(below, Sequence) and not isinstance(below, str):
        return False  # a merge revision has nothing to undo
    try:
        project.downgrade(below or "base")
    except NotImplementedError:
        return False
    for head in before:  # other branches may have gone down with it
        project.upgrade(head)
    return True


@contextmanager
def _project(schema: Schema, login: Login, database: Database) -> Iterator[AlembicProject]:
    """Yield the project; fail the test with a ServerError's one line."""
    if not isinstance(schema, AlembicSchema):
        _fail("mysql_schema is not an AlembicSchema: it has no migrations to test")
    try:
        yield schema.project(login, database.name)
    except ServerError as error:
        _fail(str(error))


def _lines(login: Login, database: Database) -> list[str]:
    with login.connect(SLOWEST) as connection:
        return lines(connection, database.name)


def _fail(reason: str) -> NoReturn:
    raise pytest.fail.Exception(reason, pytrace=False) from None
