"""The cache folder: a run has its own where it may not be written; many write it at once."""

import errno
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from throwaway_mysql import CallableSchema, cache
from throwaway_mysql.login import Login
from throwaway_mysql.schemas.clone import fill
from throwaway_mysql.testing.looking import run
from throwaway_mysql.testing.nested import PLAIN, Project, short_folder

NewDatabase = Callable[[], str]
WriteProject = Callable[..., Path]
SHOP = ("op.create_table('shop', sa.Column('id', sa.Integer))", "op.drop_table('shop')")
PASSES = "def test_it(create_db): pass\n"
SETPRIV = shutil.which("setpriv")
# Names that are much like ours, in which a person may have anything.
OF_A_PERSON = {
    *("poetry.lock", "prod.dump", "mail.template", "film.part", "it.program", "tmpabcd1234.part"),
    *("schema-old.dump", "throwaway-mysql-film.part", f"{'0' * 31}.template", f"{'0' * 32}.dump"),
    *(f"schema-{'g' * 32}.lock", f"my-schema-{'0' * 32}.dump", f"schema-{'0' * 32}.dump.lock"),
    *(f"{'0' * 32}.template\n", f"throwaway-mysql-{'_' * 8}.part.part"),
}
# What lets root write where nobody may: capabilities(7).
WITHOUT = "--bounding-set=-dac_override,-dac_read_search"


@pytest.fixture
def project(
    tmp_path: Path, write_project: WriteProject, mysql_root: Login, prefix: str
) -> Iterator[Project]:
    """Return a project with two modules that need a database."""
    write_project(SHOP)
    with short_folder() as places:
        project = Project(tmp_path / "project", places, prefix)
        project.configure(mysql_root)
        project.write(one=PASSES, two=PASSES)
        yield project
        assert project.left() == []


@pytest.fixture
def read_only(project: Project) -> Iterator[Path]:
    """Return the project's cache folder, which may only be read."""
    folder = project.cache / "throwaway-mysql"
    folder.mkdir()
    folder.chmod(0o500)
    yield folder
    folder.chmod(0o700)


def run_bound(project: Project, *options: str) -> str:
    """Run the project as one who may not write everywhere; return what was said."""
    before = []
    if os.geteuid() == 0:
        if not SETPRIV:
            pytest.skip("root may write everywhere, and there is no setpriv")
        before = [SETPRIV, WITHOUT]
    argv = [*before, sys.executable, "-m", "pytest", *PLAIN, "--db-report", *options]
    done = subprocess.run(
        argv,
        cwd=project.folder,
        env=project.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def schemas(said: str) -> dict[str, int]:
    """Return how many databases got their schema in which way, as the report tells it."""
    found = re.findall(r"^schema: (migrated|copied)(.*?) +(\d+) ", said, re.MULTILINE)
    return {how + why: int(number) for how, why, number in found}


def test_these_tests_leave_the_users_own_alone() -> None:
    assert cache.folder() != Path.home() / ".cache/throwaway-mysql"


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_without_a_cache_a_run_migrates_once(project: Project, options: tuple[str, ...]) -> None:
    status, said = project.run("--db-report", *options, XDG_CACHE_HOME="/dev/null")
    assert status == 0, said
    assert schemas(said) == {"migrated": 1, "copied": 1}


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_where_it_may_only_be_read_a_run_migrates_once(
    project: Project, read_only: Path, options: tuple[str, ...]
) -> None:
    assert schemas(run_bound(project, *options)) == {"migrated": 1, "copied": 1}
    assert list(read_only.iterdir()) == []


def test_a_copy_that_may_only_be_read_is_used(project: Project, read_only: Path) -> None:
    read_only.chmod(0o700)
    assert schemas(run_bound(project)) == {"migrated": 1, "copied": 1}
    before = sorted(read_only.iterdir())
    read_only.chmod(0o500)
    assert schemas(run_bound(project, "-n", "2")) == {"copied": 2}
    assert sorted(read_only.iterdir()) == before


def test_the_order_of_events_tells_a_copy(project: Project) -> None:
    _, said = project.run("-s")
    words = "Migrating db|It was copied|Destroying db"
    migrated, copied = ["Migrating db"], ["Migrating db", "It was copied"]
    assert re.findall(words, said) == [*migrated, "Destroying db", *copied, "Destroying db"]


def make(login: Login, database: str) -> None:
    """Make a table."""
    run(login, database, "CREATE TABLE one (a INT)")


def test_old_files_of_a_person_stay_in_a_folder_of_copies(
    mysql_server: Login, new_database: NewDatabase, tmp_path: Path
) -> None:
    for name in OF_A_PERSON:
        (tmp_path / name).write_text("precious")
        os.utime(tmp_path / name, (0, 0))
    fill(mysql_server, new_database(), CallableSchema(make, also=()), tmp_path)
    cache.remove_halves(tmp_path)
    assert {path.name for path in tmp_path.iterdir() if path.stat().st_mtime == 0} == OF_A_PERSON


def test_its_use_need_not_be_noted(
    mysql_server: Login,
    new_database: NewDatabase,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    schema = CallableSchema(make, also=())
    fill(mysql_server, new_database(), schema, tmp_path)
    monkeypatch.setattr("os.utime", refuse)
    assert fill(mysql_server, new_database(), schema, tmp_path).cloned


def test_a_file_that_is_taken_for_a_half_before_its_lock_is_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, made = tempfile.mkstemp, []

    def make_and_sweep(**options: Any) -> tuple[int, str]:
        descriptor, name = make(**options)
        made.append(name)
        if len(made) < 3:
            cache.remove_halves(tmp_path)  # as another process does between the file and its lock
        return descriptor, name

    def write(part: Path) -> None:
        part.write_text("whole")
        cache.remove_halves(tmp_path)

    monkeypatch.setattr(tempfile, "mkstemp", make_and_sweep)
    cache.replace(tmp_path / "file", write)
    assert len(made) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "whole"
