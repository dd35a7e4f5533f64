"""Tests of a project's migrations, for its own test module to import.

    from throwaway_mysql.migration_tests import *

They use the fixtures `mysql_server`, `mysql_schema` (an AlembicSchema) and `empty_database`.
As MySQL's DDL is not transactional, each has a database of its own. A test that a project
does not want is left out by importing the others by name.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
from pymysql.constants import CLIENT

from throwaway_mysql import ServerError
from throwaway_mysql.databases.place import SLOWEST
from throwaway_mysql.login import Login
from throwaway_mysql.plugin.report import RECORDED, say
from throwaway_mysql.schemas.digest import differences, lines
from throwaway_mysql.schemas.schema import AlembicSchema, Schema

try:
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    from throwaway_mysql.schemas import recorded
    from throwaway_mysql.schemas.alembic_project import AlembicProject, config_of
except ModuleNotFoundError as error:
    lacking = str(error.name).partition(".")[0]
    line = f"the tests of migrations need {lacking}: pip install alembic sqlalchemy"
    raise pytest.fail.Exception(line, pytrace=False) from None

__all__ = [
    "test_each_revision_goes_down_and_up_again",
    "test_models_and_migrations_agree",
    "test_no_recorded_revision_was_rewritten",
    "test_there_is_one_head",
    "test_up_down_up_leaves_the_same_schema",
]

WITHOUT_MODELS = "does not provide a MetaData object"  # Alembic's words


class _Project(AlembicProject):
    """An AlembicProject whose errors fail a test with the one line that they are."""

    def upgrade(self, revision: str = "heads") -> None:
        with _told():
            super().upgrade(revision)

    def downgrade(self, revision: str) -> None:
        with _told():
            super().downgrade(revision)


def test_there_is_one_head(mysql_schema: Schema) -> None:
    """Fail where two revisions follow the same one, as after a merge of two branches."""
    heads = _script(mysql_schema).get_heads()
    if len(heads) != 1:
        _fail(f"there are {len(heads)} heads ({', '.join(heads)}): run `alembic merge heads`")


def test_models_and_migrations_agree(
    mysql_schema: Schema, mysql_server: Login, empty_database: Mapping[str, Any]
) -> None:
    """Fail where `alembic check` does: autogenerate would find something to do."""
    project = _project(mysql_schema, mysql_server, empty_database)
    project.upgrade()
    try:
        project.check()
    except CommandError as error:
        if WITHOUT_MODELS in str(error):
            pytest.skip("no target_metadata in env.py: there are no models to compare")
        _fail(f"{error}: run `alembic revision --autogenerate`")


def test_up_down_up_leaves_the_same_schema(
    mysql_schema: Schema, mysql_server: Login, empty_database: Mapping[str, Any]
) -> None:
    """Fail where the way down leaves something, or the way up depends on it."""
    project = _project(mysql_schema, mysql_server, empty_database)
    project.upgrade()
    first = _lines(mysql_server, empty_database)
    try:
        project.downgrade("base")
    except NotImplementedError as error:
        pytest.skip(f"a revision has no way down: {error}")
    project.upgrade()
    if said := differences(first, _lines(mysql_server, empty_database)):
        _fail(f"after up, down, up the schema is another: {said}")


def test_each_revision_goes_down_and_up_again(
    mysql_schema: Schema, mysql_server: Login, empty_database: Mapping[str, Any]
) -> None:
    """Fail where a revision alone, undone and done again, does not make the same schema.

    A revision whose downgrade raises NotImplementedError is only gone up.
    """
    project = _project(mysql_schema, mysql_server, empty_database)
    revisions = [found.revision for found in project.script.walk_revisions()][::-1]
    for revision in revisions:
        project.upgrade(revision)
        first = _lines(mysql_server, empty_database)
        if not _down_and_up(project, revision, revisions):
            continue
        if said := differences(first, _lines(mysql_server, empty_database)):
            _fail(f"revision {revision}, down and up again, makes another schema: {said}")


def test_no_recorded_revision_was_rewritten(
    pytestconfig: pytest.Config, mysql_schema: Schema
) -> None:
    """Fail where a revision that databases have already is not what they have any more."""
    script = _script(mysql_schema)
    if pytestconfig.getoption("record_revisions", default=False):
        done = f"{recorded.record(script)} {RECORDED} {recorded.file_of(script)}"
        say(pytestconfig, done)
        pytest.skip(done)
    found = recorded.rewritten(script)
    if found is None:
        pytest.skip("no revisions are recorded: run `pytest --record-revisions`")
    if found:
        _fail(
            f"{', '.join(found)}: databases that have it stay as they are; write a new revision, "
            "or run `pytest --record-revisions` if no database has it"
        )


def _down_and_up(project: AlembicProject, revision: str, revisions: list[str]) -> bool:
    """Undo a revision and do it again; return whether it can be undone."""
    before = sorted(project.current(), key=revisions.index)
    below = project.script.get_revision(revision).down_revision
    if isinstance(below, Sequence) and not isinstance(below, str):
        return False  # a merge, which has nothing to undo
    try:
        project.downgrade(below or "base")
    except NotImplementedError:
        return False
    for head in before:  # other branches may have gone down with it
        project.upgrade(head)
    return True


def _project(schema: Schema, login: Login, database: Mapping[str, Any]) -> AlembicProject:
    return _Project(_ini(schema), login, database["DATABASE_NAME"])


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except ServerError as error:
        _fail(str(error))


def _script(schema: Schema) -> ScriptDirectory:
    return ScriptDirectory.from_config(config_of(_ini(schema)))


def _ini(schema: Schema) -> Path:
    if not isinstance(schema, AlembicSchema):
        _fail("mysql_schema is not an AlembicSchema: it has no migrations to test")
    return Path(schema.ini)


def _lines(login: Login, database: Mapping[str, Any]) -> list[str]:
    name = database["DATABASE_NAME"]
    with replace(login, database=name).connect(SLOWEST, CLIENT.MULTI_STATEMENTS) as connection:
        return lines(connection, name)


def _fail(reason: str) -> NoReturn:
    raise pytest.fail.Exception(reason, pytrace=False) from None
