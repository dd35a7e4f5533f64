"""Alembic on the app's settings: up, down, offline, in step with the models."""

import io
import re
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from alembic import command
from alembic.config import Config
from pymysql.constants import CLIENT
from sqlalchemy import Connection, text

import settings
from tests.support.databases import connected
from tests.support.project import ALEMBIC, PROJECT, Environ, run
from throwaway_mysql import AlembicProject, Database, Login, ServerError
from throwaway_mysql.migration_tests import (  # noqa: F401 (pytest collects them)
    test_each_revision_goes_down_and_up_again,
    test_models_and_migrations_agree,
    test_there_is_one_head,
    test_up_down_up_leaves_the_same_schema,
)


def schema(connection: Connection) -> list[object]:
    """Return what describes a database and its tables."""
    only = "SHOW FULL TABLES WHERE table_type = 'BASE TABLE'"
    tables = connection.execute(text(only)).scalars().all()
    made = [connection.execute(text(f"SHOW CREATE TABLE `{name}`")).one() for name in tables]
    query = "SELECT default_collation_name FROM information_schema.schemata WHERE schema_name"
    collation = connection.scalar(text(f"{query} = DATABASE()"))
    version = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return [collation, version, *made]


def test_offline_sql_makes_the_same_database_and_needs_none(
    connection: Connection,
    empty_database: Database,
    fresh_db: Database,
    mysql_server: Login,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = io.StringIO()
    with monkeypatch.context() as nowhere:
        nowhere.setattr(settings, "DB_HOST", "nowhere.invalid")
        nowhere.setattr(settings, "DB_PASSWORD", "never-shown")
        command.upgrade(Config(toml_file=ALEMBIC, output_buffer=script), "head", sql=True)
    assert "never-shown" not in script.getvalue()
    with mysql_server.connect(client_flag=CLIENT.MULTI_STATEMENTS) as client:
        client.select_db(empty_database["DATABASE_NAME"])
        with client.cursor() as cursor:
            cursor.execute(script.getvalue())
            while cursor.nextset():
                pass
    with connected(fresh_db) as migrated:
        assert schema(connection) == schema(migrated)


def test_two_upgrades_at_once_take_turns(
    server_environ: Environ, empty_database: Database, migrations: AlembicProject
) -> None:
    environ = server_environ | empty_database.environ()
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(run, environ, "alembic", "upgrade", "head") for _ in range(2)]
        assert [each.result().returncode for each in runs] == [0, 0]
    assert list(migrations.current()) == migrations.script.get_heads()


def test_a_newer_schema_is_told_with_what_helps(
    migrations: AlembicProject, connection: Connection
) -> None:
    migrations.upgrade()
    connection.execute(text("UPDATE alembic_version SET version_num = 'ffffffffffff'"))
    (head,) = migrations.script.get_heads()
    remedy = rf"\(revision ffffffffffff\): deploy .* `alembic downgrade {head}`"
    for way in (migrations.upgrade, partial(migrations.downgrade, head), migrations.check):
        with pytest.raises(ServerError, match=remedy):
            way()


def test_revisions_import_nothing_that_changes() -> None:
    ours = {path.stem for path in PROJECT.iterdir() if path.suffix == ".py" or path.is_dir()}
    revisions = list(PROJECT.glob("migrations/versions/*.py"))
    assert revisions
    for revision in revisions:
        imported = re.findall(r"^ *(?:from|import) (\w+)", revision.read_text(), re.M)
        assert ours & set(imported) == set(), revision
