"""Data folders: copied from an intact template, else made anew."""

import os
import shutil
import time
import zoneinfo
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from throwaway_mysql import datadir, timezones
from throwaway_mysql.cache import UNUSED_FOR, folder, keep
from throwaway_mysql.datadir import SYSTEM_TABLES, copy, initialise, system_tables, template_of
from throwaway_mysql.errors import ServerError
from throwaway_mysql.login import Answer
from throwaway_mysql.program import find_program
from throwaway_mysql.server import Server


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return this test's own cache folder, which does not exist yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "throwaway-mysql"


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return the folders whose data was made without a template."""
    folders: list[object] = []

    def note(*arguments: object) -> None:
        folders.append(arguments[-1])
        initialise(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(datadir, "initialise", note)
    return folders


def serve(program: str, *flags: str) -> None:
    """Check that a server starts."""
    with Server(program, flags=flags, tcp=False) as server:
        assert server.root.answer() is Answer.SERVICE


def test_servers_at_once_leave_one_template_and_share_no_identity(
    mysql_program: str, cache: Path
) -> None:
    with ExitStack() as stack, ThreadPoolExecutor(2) as pool:
        started = [pool.submit(Server, mysql_program) for _ in range(2)]
        servers = [stack.enter_context(future.result()) for future in started]
        servers.append(stack.enter_context(Server(mysql_program)))
        assert [server.root.answer() for server in servers] == [Answer.SERVICE] * 3
        assert len({server.root.password for server in servers}) == 3
        if servers[0].program.family == "MySQL":
            ids = set()
            for server in servers:
                with server.root.connect() as connection, connection.cursor() as cursor:
                    cursor.execute("SELECT @@server_uuid")
                    ids.add(cursor.fetchone())
            assert len(ids) == 3
    assert [path.suffix for path in cache.iterdir()] == [".template"]


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda file: file.write_bytes(b""),
    "cut": lambda file: os.truncate(file, file.stat().st_size // 2),
    "changed": lambda file: file.write_bytes(file.read_bytes().replace(b"end", b"END")),
    "missing": lambda file: file.unlink(),
    "without its index": lambda file: (file.parents[1] / "index.json").write_text("{"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_template_is_used_whole_or_not_at_all(tmp_path: Path, damage: str) -> None:
    data, template, target = (tmp_path / name for name in ("data", "template", "target"))
    (data / "mysql").mkdir(parents=True)
    (data / "ibdata1").write_bytes(b"begin" + bytes(100_000) + b"end")
    (data / "mysql/user.frm").write_bytes(b"user")
    datadir.pack(data, template)
    assert datadir.unpack(template, target)
    shutil.rmtree(target)
    DAMAGES[damage](template / "data/ibdata1")
    assert not datadir.unpack(template, target)
    assert not target.exists()


def test_a_damaged_template_is_made_anew(
    mysql_program: str, cache: Path, built: list[object]
) -> None:
    serve(mysql_program)
    (template,) = cache.iterdir()
    DAMAGES["cut"](template / "data/ibdata1")
    for _ in range(2):
        serve(mysql_program)
    assert len(built) == 2


def test_builds_and_options_have_a_template_each_unless_they_are_one_runs_own(
    mysql_program: str,
) -> None:
    program = find_program(mysql_program)
    another = replace(program, build="which a script runs now")
    flags = ["--lower-case-table-names=1"]
    templates = {template_of(program, ()), template_of(program, flags), template_of(another, ())}
    assert len(templates - {None}) == 3
    assert template_of(program, ["--general-log-file=/tmp/log"]) is None


def test_what_was_unused_for_long_is_removed_and_nothing_of_a_person(
    mysql_program: str, cache: Path, built: list[object]
) -> None:
    serve(mysql_program)
    (used,) = cache.iterdir()
    old = [f"{'0' * 32}.template", f"throwaway-mysql-{'_' * 8}.part", f"{'0' * 32}.other"]
    new = f"{'1' * 32}.template"
    for name in (*old, new):
        (cache / name).mkdir()
    for path in (*(cache / name for name in old), used):
        os.utime(path, (time.time() - UNUSED_FOR - 60,) * 2)
    serve(mysql_program)  # uses its template
    keep(cache / f"{'2' * 32}.template", Path.mkdir)
    left = {path.name for path in cache.iterdir()}
    assert left == {used.name, old[2], new, f"{'2' * 32}.template"}
    assert len(built) == 1


@pytest.mark.parametrize(
    "environ",
    [
        {"XDG_CACHE_HOME": "/dev/null/cache"},
        {"XDG_CACHE_HOME": "", "HOME": "/dev/null"},
        {"XDG_CACHE_HOME": "relative", "HOME": "/dev/null"},
    ],
    ids=["no cache folder", "no home", "a relative folder, which counts as none"],
)
def test_who_has_no_home_has_no_cache(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert folder() is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_cache_folder_of_someone_else_is_not_trusted(cache: Path) -> None:
    cache.mkdir(parents=True)
    assert folder() == cache
    os.chown(cache, 12345, 12345)
    assert folder() is None


def test_a_copy_is_equal_and_has_no_empty_pages(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "below/empty").mkdir(parents=True)
    content = b"a" * 5000 + bytes(200_000) + b"b" + bytes(300_000)
    (source / "below/file").write_bytes(content)
    (source / "hole").touch()
    os.truncate(source / "hole", 100_000)
    first, second = copy(source, tmp_path / "first"), copy(tmp_path / "first", tmp_path / "second")
    assert first == second
    assert (tmp_path / "second/below/file").read_bytes() == content
    assert (tmp_path / "second/hole").read_bytes() == bytes(100_000)
    assert (tmp_path / "second/below/empty").is_dir()
    assert (tmp_path / "second/below/file").stat().st_blocks * 512 < 100_000


@pytest.mark.parametrize("family", ["mysql", "mariadb"])
def test_the_sql_of_a_mariadb_is_found_by_its_old_and_its_new_name(
    tmp_path: Path, family: str
) -> None:
    files = [tmp_path / f"{family}_{name}" for name in SYSTEM_TABLES]
    for file in files:
        file.touch()
    assert system_tables(tmp_path) == files
    files[0].unlink()
    with pytest.raises(ServerError, match=r"without .*/mysql_system_tables\.sql"):
        system_tables(tmp_path)


@pytest.mark.parametrize("key", ["UTC", "Europe/Oslo", "Asia/Kolkata", "Africa/Casablanca"])
def test_a_zone_is_read_as_python_reads_it(key: str) -> None:
    path = next(path for folder in zoneinfo.TZPATH if (path := Path(folder, key)).is_file())
    types, transitions = timezones.read(path.read_bytes())
    zone = zoneinfo.ZoneInfo(key)
    for moment in range(0, 2**31, 7 * 24 * 3600):
        current = [index for begin, index in transitions if begin <= moment]
        there = datetime.fromtimestamp(moment, zone)
        offset = there.utcoffset() or timedelta()
        expected = int(offset.total_seconds()), int(bool(there.dst())), there.tzname()
        assert types[current[-1] if current else 0] == expected
