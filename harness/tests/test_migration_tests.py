"""The tests that a project imports, run on projects with a fault each."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from throwaway_mysql import AlembicSchema, migration_tests
from throwaway_mysql.login import Login
from throwaway_mysql.schemas.schema import RECORD
from throwaway_mysql.testing.looking import as_given
from throwaway_mysql.testing.nested import CONFIGURED

WriteProject = Callable[..., Path]
RunTests = Callable[..., str]

CONFTEST = """
from throwaway_mysql import AlembicSchema

@pytest.fixture(scope="session")
def mysql_schema():
    return AlembicSchema("alembic.ini")
"""
TESTS = "from throwaway_mysql.migration_tests import *\n"

SHOP = ("op.create_table('shop', sa.Column('id', sa.Integer))", "op.drop_table('shop')")
NAME = ("op.add_column('shop', sa.Column('name', sa.String(9)))", "op.drop_column('shop', 'name')")
INDEX = ("op.create_index('ix', 'shop', ['name'])", "op.drop_index('ix', 'shop')")
MODELS = "Table('shop', metadata, Column('id', Integer), Column('name', String(9), index=False))"


@pytest.fixture
def run_tests(mysql_root: Login, prefix: str) -> RunTests:
    """Return a function that runs the tests on the project of an ini and returns its report."""
    given = {"TEST_LOGIN": json.dumps(as_given(mysql_root)), "TEST_PREFIX": prefix}

    def run(path: Path, *arguments: str, module: str = TESTS) -> str:
        (path.parent / "conftest.py").write_text(CONFIGURED + CONFTEST)
        (path.parent / "test_moves.py").write_text(module)
        (path.parent / "pytest.ini").write_text("[pytest]\n")
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider", *arguments],
            cwd=path.parent,
            env=os.environ | given,
            capture_output=True,
            text=True,
            check=False,
        ).stdout

    return run


def test_a_sound_project_passes(run_tests: RunTests, write_project: WriteProject) -> None:
    said = run_tests(write_project(SHOP, NAME, models=MODELS))
    assert "4 passed, 1 skipped" in said
    assert "no revisions are recorded: run `pytest --record-revisions`" in said


def test_two_heads_fail(run_tests: RunTests, write_project: WriteProject) -> None:
    path = write_project(SHOP, NAME, models=MODELS)
    text = (path.parent / "moves/versions/r1.py").read_text()
    twin = text.replace('"r1"', '"twin"').replace("'name'", "'note'")
    (path.parent / "moves/versions/twin.py").write_text(twin)
    said = run_tests(path, "-k", "head")
    assert "there are 2 heads (r1, twin): run `alembic merge heads`" in said
    assert "1 failed" in said


def test_a_project_without_models_is_not_compared(
    run_tests: RunTests, write_project: WriteProject
) -> None:
    path = write_project(SHOP)
    env = path.parent / "moves/env.py"
    env.write_text(env.read_text() + "assert metadata is None\n")
    assert "1 failed" in run_tests(path, "-k", "models")
    env.write_text(env.read_text().replace("metadata = MetaData()", "metadata = None"))
    said = run_tests(path, "-k", "models")
    assert "1 skipped" in said
    assert "no target_metadata in env.py" in said


def test_models_without_a_revision_fail(run_tests: RunTests, write_project: WriteProject) -> None:
    said = run_tests(write_project(SHOP, models=MODELS), "-k", "models")
    assert "New upgrade operations detected: [('add_column'" in said
    assert "run `alembic revision --autogenerate`" in said


LEAVES_AN_INDEX = "op.execute('ALTER TABLE shop ADD INDEX (name)')", "pass"


def test_a_way_down_that_leaves_something_fails(
    run_tests: RunTests, write_project: WriteProject
) -> None:
    said = run_tests(write_project(SHOP, NAME, LEAVES_AN_INDEX), "-k", "each_revision")
    assert "revision r2, down and up again, makes another schema: new: [" in said
    assert '"name_2"' in said


GROWS = (
    "op.execute('CREATE TABLE IF NOT EXISTS left_over (id INT)'); "
    "op.execute('ALTER TABLE left_over ADD INDEX (id)')",
    "pass",
)


def test_a_way_up_that_depends_on_what_was_left_fails(
    run_tests: RunTests, write_project: WriteProject
) -> None:
    said = run_tests(write_project(SHOP, GROWS), "-k", "up_down_up")
    assert "after up, down, up the schema is another: new: [" in said
    assert '"id_2"' in said


def test_a_revision_without_a_way_down_is_gone_up_only(
    run_tests: RunTests, write_project: WriteProject
) -> None:
    stays = (NAME[0], "raise NotImplementedError('data would be lost')")
    said = run_tests(write_project(SHOP, stays, INDEX), "-k", "down")
    assert "1 passed, 1 skipped" in said
    assert "a revision has no way down: data would be lost" in said


def test_a_branch_and_its_merge_go_down_and_up(
    run_tests: RunTests, write_project: WriteProject
) -> None:
    path = write_project(SHOP, NAME)
    versions = path.parent / "moves/versions"
    text = (versions / "r1.py").read_text()
    (versions / "twin.py").write_text(text.replace('"r1"', '"twin"').replace("'name'", "'note'"))
    merge = text.replace('"r1"', '"merged"').replace("'r0'", "('r1', 'twin')")
    for code in NAME:
        merge = merge.replace(code, "pass")
    (versions / "merged.py").write_text(merge)
    assert "3 passed" in run_tests(path, "-k", "down or head")


def test_a_recorded_revision_may_not_be_rewritten(
    run_tests: RunTests, write_project: WriteProject
) -> None:
    path = write_project(SHOP, NAME)
    only = ("-k", "recorded")
    assert "2 revisions recorded" in run_tests(path, *only, "--record-revisions")
    assert (path.parent / "moves" / RECORD).read_text().split()[1::2] == ["r0", "r1"]
    versions = path.parent / "moves/versions"
    (versions / "r1.py").write_bytes((versions / "r1.py").read_bytes().replace(b"\n", b"\r\n"))
    assert "1 passed" in run_tests(path, *only)
    write_project(SHOP, NAME, INDEX)
    assert "1 passed" in run_tests(path, *only)
    write_project(("op.create_table('shop', sa.Column('id', sa.Text))", "pass"), NAME)
    said = run_tests(path, *only)
    assert "r0 was rewritten: databases that have it stay as they are; write a new" in said
    (versions / "r2.py").unlink()
    (versions / "r1.py").unlink()
    assert "r0 was rewritten, r1 is gone: databases" in run_tests(path, *only)
    run_tests(path, *only, "--record-revisions")
    assert "1 passed" in run_tests(path, *only)


@pytest.mark.parametrize("options", [(), ("-n1",)], ids=["one process", "a worker"])
def test_a_run_says_whether_it_has_recorded(
    run_tests: RunTests, write_project: WriteProject, options: tuple[str, ...]
) -> None:
    path = write_project(SHOP)
    record = path.parent / "moves" / RECORD
    said = run_tests(path, "-k", "head", "--record-revisions", *options)
    assert "\nno revisions recorded: test_no_recorded_revision_was_rewritten, of thr" in said
    assert not record.exists()
    said = run_tests(path, "-k", "recorded", "--record-revisions", *options)
    assert f"\n1 revisions recorded in {record}\n" in said
    assert "no revisions" not in said
    assert "revisions recorded" not in run_tests(path, "-k", "head", *options)


def test_what_a_server_refuses_is_one_line(
    run_tests: RunTests, write_project: WriteProject
) -> None:
    path = write_project(SHOP, SHOP)
    said = run_tests(path, "-k", "down", "--show-capture=no")
    file = path.parent / "moves/versions/r1.py"
    assert said.count(f"\nrevision r1 ({file}:11, in upgrade): 1050 Table 'shop' already ex") == 2
    assert "2 failed" in said
    assert len(said.splitlines()) < 20, said


def test_an_incomplete_way_down_is_one_line(
    run_tests: RunTests, write_project: WriteProject
) -> None:
    said = run_tests(write_project((SHOP[0], "pass")), "-k", "up_down_up", "--show-capture=no")
    assert ":11, in upgrade): 1050 Table 'shop' already exists" in said
    assert len(said.splitlines()) < 20, said


def test_a_bug_in_a_revision_keeps_its_traceback(
    run_tests: RunTests, write_project: WriteProject
) -> None:
    raises = ("raise LookupError('a bug')", "pass")
    said = run_tests(write_project(SHOP, raises), "-k", "up_down_up")
    assert "moves/versions/r1.py:11: LookupError" in said
    assert "    raise LookupError('a bug')" in said


@pytest.mark.parametrize("package", ["alembic", "sqlalchemy"])
def test_without_its_packages_it_is_one_line(
    run_tests: RunTests, write_project: WriteProject, package: str
) -> None:
    lacks = f"import sys\nsys.modules[{package!r}] = None\n"
    said = run_tests(write_project(SHOP), module=lacks + TESTS)
    assert f"\nthe tests of migrations need {package}: pip install alembic sqlalchemy\n" in said
    assert "Traceback" not in said
    assert "1 error" in said


@pytest.mark.slow
def test_fifty_revisions_pass(run_tests: RunTests, fifty: Path) -> None:
    assert "3 passed" in run_tests(fifty, "-k", "down or head")


class Impatient(Login):
    """An account that gives the server no time for what is not known to take long."""

    def connect(self, timeout: float = 0, client_flag: int = 0) -> "Connection[Cursor]":
        """Return a connection as Login.connect() does."""
        return super().connect(timeout, client_flag)


def test_the_look_at_a_schema_may_take_long(
    mysql_root: Login, write_project: WriteProject, new_database: Callable[[], str]
) -> None:
    root = mysql_root
    login = Impatient(root.host, root.port, root.user, root.password, root.unix_socket)
    migration_tests.test_up_down_up_leaves_the_same_schema(
        AlembicSchema(write_project(SHOP)), login, {"DATABASE_NAME": new_database()}
    )


OTHER = """
import pytest
from throwaway_mysql import CallableSchema

@pytest.fixture(scope="session")
def mysql_schema():
    return CallableSchema(print)
"""


def test_another_schema_has_no_migrations(run_tests: RunTests, write_project: WriteProject) -> None:
    said = run_tests(write_project(SHOP), module=TESTS + OTHER)
    assert "5 failed" in said
    assert said.count("mysql_schema is not an AlembicSchema: it has no migrations to test") >= 5
