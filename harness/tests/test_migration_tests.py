"""The tests that a project imports, on projects with one fault each."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from support.projects import INDEX, NAME, SHOP, write

from throwaway_mysql import AlembicSchema, CallableSchema, migration_tests
from throwaway_mysql.databases import Database, Databases
from throwaway_mysql.login import Login
from throwaway_mysql.migration_tests import (
    test_each_revision_goes_down_and_up_again as each_revision,
)
from throwaway_mysql.migration_tests import test_models_and_migrations_agree as models_agree
from throwaway_mysql.migration_tests import test_there_is_one_head as one_head
from throwaway_mysql.migration_tests import test_up_down_up_leaves_the_same_schema as up_down_up

Test = Callable[[AlembicSchema, Login, Database], None]

MODELS = "Table('shop', metadata, Column('id', Integer), Column('name', String(9), index=False))"
STAYS = (NAME[0], "raise NotImplementedError('data would be lost')")
LEAVES_AN_INDEX = ("op.execute('ALTER TABLE shop ADD INDEX (name)')", "pass")
GROWS = (
    "op.execute('CREATE TABLE IF NOT EXISTS left_over (id INT)'); "
    "op.execute('ALTER TABLE left_over ADD INDEX (id)')",
    "pass",
)


@pytest.fixture
def account(mysql_root: Login) -> Login:
    """Return the one account of these tests."""
    return mysql_root


@pytest.fixture
def result(databases: Databases) -> Callable[[Test, Path], str]:
    """Return a function that runs one of the tests on a project, and returns its outcome."""

    def result(test: Test, ini: Path) -> str:
        try:
            test(AlembicSchema(ini), databases.login, databases.create())
        except (pytest.fail.Exception, pytest.skip.Exception) as error:
            shown = isinstance(error, pytest.fail.Exception) and error.pytrace
            return f"traceback of {error}" if shown else str(error.msg)
        return "passed"

    return result


Result = Callable[[Test, Path], str]


@pytest.mark.parametrize("test", [one_head, models_agree, up_down_up, each_revision])
def test_a_sound_project_passes(result: Result, tmp_path: Path, test: Test) -> None:
    assert result(test, write(tmp_path, SHOP, NAME, models=MODELS)) == "passed"


def twin(ini: Path) -> Path:
    """Add a revision beside r1."""
    versions = ini.parent / "moves/versions"
    text = (versions / "r1.py").read_text().replace('"r1"', '"twin"').replace("'name'", "'note'")
    (versions / "twin.py").write_text(text)
    return ini


@pytest.mark.parametrize(
    ("test", "revisions", "models", "expected"),
    [
        (
            models_agree,
            (SHOP,),
            MODELS,
            r".*moves: New upgrade operations detected: \[\('add_column'.*",
        ),
        (
            each_revision,
            (SHOP, NAME, LEAVES_AN_INDEX),
            "",
            "revision r2, down and up again, .*name_2.*",
        ),
        (up_down_up, (SHOP, GROWS), "", "after up, down, up the schema differs: new: .*id_2.*"),
        (up_down_up, (SHOP, STAYS, INDEX), "", "a revision has no way down: data would be lost"),
        (each_revision, (SHOP, STAYS, INDEX), "", "passed"),
        (up_down_up, ((SHOP[0], "pass"),), "", r"revision r0 \(.*:11, in upgrade\): 1050 .*"),
        (models_agree, (SHOP,), "metadata = None", "no target_metadata in env.py: .*"),
        (one_head, (), "", "there are 0 heads .*"),
        (each_revision, (), "", "passed"),
    ],
)
def test_each_fault_is_one_line(
    result: Result,
    tmp_path: Path,
    test: Test,
    revisions: tuple[tuple[str, str], ...],
    models: str,
    expected: str,
) -> None:
    assert re.fullmatch(expected, result(test, write(tmp_path, *revisions, models=models)))


def test_two_heads_fail_and_a_merge_of_them_passes(result: Result, tmp_path: Path) -> None:
    ini = twin(write(tmp_path, SHOP, NAME))
    assert result(one_head, ini) == "there are 2 heads (r1, twin): run `alembic merge heads`"
    versions = ini.parent / "moves/versions"
    text = (versions / "r1.py").read_text()
    merge = text.replace('"r1"', '"merged"').replace("'r0'", "('r1', 'twin')")
    for code in NAME:
        merge = merge.replace(code, "pass")
    (versions / "merged.py").write_text(merge)
    for test in (one_head, up_down_up, each_revision):
        assert result(test, ini) == "passed"


def test_another_schema_has_no_migrations(databases: Databases) -> None:
    schema = CallableSchema(print)
    with pytest.raises(pytest.fail.Exception, match="it has no migrations to test"):
        up_down_up(schema, databases.login, databases.create())


@pytest.mark.parametrize("package", ["alembic", "sqlalchemy"])
def test_without_their_packages_they_are_one_line(pytester: pytest.Pytester, package: str) -> None:
    lacks = f"import sys\nsys.modules[{package!r}] = None\n"
    pytester.makepyfile(lacks + "from throwaway_mysql.migration_tests import *\n")
    output = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider").stdout.str()
    assert f"the tests of migrations need {package}: pip install alembic sqlalchemy" in output
    assert "Traceback" not in output


def test_a_project_imports_all_of_them() -> None:
    assert set(migration_tests.__all__) == {
        name for name in vars(migration_tests) if name.startswith("test_")
    }
