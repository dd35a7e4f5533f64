"""Alembic on the app's settings: up, down, offline, in step with the models."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from alembic.util import CommandError
from pymysql.constants import CLIENT
from sqlalchemy import Connection, text

import settings
from tests.support.project import ALEMBIC, PROJECT, Alembic
from throwaway_mysql import Login
from throwaway_mysql.databases.database import Coordinates, throwaway_database
from throwaway_mysql.migration_tests import (  # noqa: F401 (pytest collects them)
    test_each_revision_goes_down_and_up_again,
    test_models_and_migrations_agree,
    test_no_recorded_revision_was_rewritten,
    test_there_is_one_head,
    test_up_down_up_leaves_the_same_schema,
)
from throwaway_mysql.schemas.alembic_project import AlembicProject
from throwaway_mysql.schemas.digest import differences, lines
from throwaway_mysql.servers.port import free_port


@pytest.fixture
def migrated(mysql_server: Login) -> Iterator[list[str]]:
    """Return what tells of a schema that was migrated online."""
    with throwaway_database(mysql_server, settings.DATABASE_NAME) as coordinates:
        name = str(coordinates["DATABASE_NAME"])
        AlembicProject(ALEMBIC, mysql_server, name).upgrade()
        with mysql_server.connect(client_flag=CLIENT.MULTI_STATEMENTS) as client:
            yield lines(client, name)


def test_offline_sql_makes_the_same_database(
    alembic: Alembic, empty_database: Coordinates, mysql_server: Login, migrated: list[str]
) -> None:
    script = alembic("upgrade", "head", "--sql").stdout
    with mysql_server.connect(client_flag=CLIENT.MULTI_STATEMENTS) as client:
        client.select_db(empty_database["DATABASE_NAME"])
        with client.cursor() as cursor:
            cursor.execute(script)
            while cursor.nextset():
                pass
        assert differences(migrated, lines(client, empty_database["DATABASE_NAME"])) == ""


def test_offline_sql_needs_no_database_and_shows_no_password(alembic: Alembic) -> None:
    nowhere = {"DB_PORT": str(free_port()), "DB_PASSWORD": "never-shown"}
    done = alembic("upgrade", "head", "--sql", **nowhere)
    assert "CREATE TABLE alembic_version" in done.stdout
    assert "never-shown" not in done.stdout + done.stderr


def test_two_upgrades_at_once_take_turns(alembic: Alembic) -> None:
    with ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(alembic, "upgrade", "head") for _ in range(3)]
        assert all(run.result().returncode == 0 for run in runs)
    assert alembic("current").stdout.endswith("(head)\n")


def test_a_newer_schema_is_told_with_what_helps(
    migrations: AlembicProject, connection: Connection
) -> None:
    migrations.upgrade()
    connection.execute(text("UPDATE alembic_version SET version_num = 'ffffffffffff'"))
    (head,) = migrations.script.get_heads()
    remedy = rf"\(revision ffffffffffff\): deploy .* `alembic downgrade {head}`"
    for command in (migrations.upgrade, partial(migrations.downgrade, head), migrations.check):
        with pytest.raises(CommandError, match=remedy):
            command()


def test_revisions_import_nothing_that_changes() -> None:
    ours = {path.stem for path in PROJECT.iterdir() if path.suffix == ".py" or path.is_dir()}
    revisions = list(PROJECT.glob("migrations/versions/*.py"))
    assert revisions
    for revision in revisions:
        imported = re.findall(r"^ *(?:from|import) (\w+)", revision.read_text(), re.M)
        assert ours & set(imported) == set(), revision
