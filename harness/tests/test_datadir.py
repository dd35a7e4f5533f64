"""Data folders: made once whoever asks, copied when whole, made anew where that can't be."""

import os
import shutil
import struct
import zoneinfo
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from throwaway_mysql import datadir, timezones
from throwaway_mysql.cache import UNUSED_FOR, folder, keep, writing
from throwaway_mysql.datadir import SYSTEM_TABLES, copy, initialise, system_tables
from throwaway_mysql.errors import ServerError
from throwaway_mysql.login import Answer
from throwaway_mysql.program import find_program
from throwaway_mysql.server import Server


@pytest.fixture(scope="module")
def shared_cache(mysql_program: str) -> Path:
    """Return the cache folder of all these tests, with a template."""
    serve(mysql_program)
    return Path(os.environ["XDG_CACHE_HOME"]) / "throwaway-mysql"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the cache folder of this test's own, which is not there yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "throwaway-mysql"


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return the folders whose data have been made without a template."""
    folders: list[object] = []

    def note(*arguments: object) -> None:
        folders.append(arguments[-1])
        initialise(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(datadir, "initialise", note)
    return folders


def serve(program: str, *flags: str) -> None:
    """See that a server can be had."""
    with Server(program, flags=flags, tcp=False) as server:
        assert server.root.answer() is Answer.SERVICE


def templates(cache: Path) -> list[Path]:
    """Return the templates, without what else is there."""
    return sorted(cache.glob("*.template"))


def test_servers_at_once_make_one_template_and_share_no_identity(
    mysql_program: str, cache: Path, built: list[object]
) -> None:
    find_program(mysql_program)  # so that they don't wait for each other there
    with ExitStack() as stack, ThreadPoolExecutor(4) as pool:
        started = [pool.submit(Server, mysql_program) for _ in range(4)]
        servers = [stack.enter_context(future.result()) for future in started]
        assert [server.root.answer() for server in servers] == [Answer.SERVICE] * 4
        assert len({server.root.password for server in servers}) == 4
        if servers[0].program.family == "MySQL":
            ids = set()
            for server in servers:
                with server.root.connect() as connection, connection.cursor() as cursor:
                    cursor.execute("SELECT @@server_uuid")
                    ids.add(cursor.fetchone())
            assert len(ids) == 4
    assert [len(built), len(templates(cache))] == [1, 1]


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
    mysql_program: str, shared_cache: Path, cache: Path, built: list[object]
) -> None:
    copy(shared_cache, cache)
    for template in templates(cache):
        DAMAGES["cut"](template / "data/ibdata1")
    for _ in range(2):
        serve(mysql_program)
    assert len(built) == 1


def test_options_have_a_template_each_unless_they_are_one_runs_own(
    mysql_program: str, cache: Path, tmp_path: Path
) -> None:
    for flag in ("--lower-case-table-names=1", f"--general-log-file={tmp_path}/log"):
        serve(mysql_program, flag)
    assert len(templates(cache)) == 1


def test_what_calls_itself_another_build_has_its_own_though_the_file_is_the_same(
    mysql_program: str, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "script"
    script.write_text(
        '#!/bin/sh\n[ "$2" = --version ] && exec echo "Ver 99.1 $BUILD"\nexec "$REAL" "$@"\n'
    )
    script.chmod(0o755)
    family = find_program(mysql_program).family
    monkeypatch.setenv("REAL", mysql_program)
    for build in ("one", "other"):
        monkeypatch.setenv("BUILD", f"{family} {build}")
        serve(str(script))
    assert len(templates(cache)) == 2


def test_what_was_unused_for_long_and_halves_are_removed_and_nothing_of_a_person(
    mysql_program: str, shared_cache: Path, cache: Path, built: list[object]
) -> None:
    copy(shared_cache, cache)
    names = ("0" * 32, "1" * 32, "2" * 32, f"throwaway-mysql-{'_' * 8}", "4" * 32)
    kinds = ("template", "program", "template", "part", "other")
    paths = [cache / f"{name}.{kind}" for name, kind in zip(names, kinds, strict=True)]
    (cache / "lock").touch()
    now = (cache / "lock").stat().st_mtime
    for path, age in zip(paths, (60, 60, -3600, -UNUSED_FOR, 60), strict=True):
        (path / "data").mkdir(parents=True)
        os.utime(path, (now - UNUSED_FOR - age,) * 2)
    for template in templates(cache):
        if template not in paths:
            os.utime(template, (0, 0))
    serve(mysql_program)  # uses its template
    assert built == []
    with writing(paths[0]) as may_write:
        assert may_write
        keep(paths[1], Path.mkdir)
    assert [path.exists() for path in paths] == [False, True, True, False, True]
    serve(mysql_program)
    assert built == []


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


def test_without_a_cache_each_server_makes_its_own(
    mysql_program: str, built: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/cache")
    serve(mysql_program)
    assert len(built) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_cache_folder_of_someone_else_is_not_trusted(cache: Path) -> None:
    cache.mkdir(parents=True)
    assert folder() == cache
    os.chown(cache, 12345, 12345)
    assert folder() is None


def test_an_option_that_fails_leaves_no_template(mysql_program: str, cache: Path) -> None:
    with pytest.raises(ServerError, match="--no-such-option"):
        serve(mysql_program, "--no-such-option")
    assert templates(cache) == []


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


@pytest.mark.parametrize(
    ("key", "is_slim"),
    [
        *[(key, False) for key in ("UTC", "Europe/Oslo", "Asia/Kolkata", "Africa/Casablanca")],
        *[(key, True) for key in ("Europe/Oslo", "America/New_York", "Pacific/Auckland")],
    ],
)
def test_a_zone_is_read_as_python_reads_it(key: str, *, is_slim: bool) -> None:
    path = next(path for folder in zoneinfo.TZPATH if (path := Path(folder, key)).is_file())
    data = path.read_bytes()
    types, transitions = timezones.read(slim(data) if is_slim else data, key)
    assert [at for at, _ in transitions] == [at for at, _ in timezones.read(data, key)[1]]
    zone = zoneinfo.ZoneInfo(key)
    for time in range(0, 2**31, 7 * 24 * 3600):
        current = [index for begin, index in transitions if begin <= time]
        there = datetime.fromtimestamp(time, zone)
        offset = there.utcoffset() or timedelta()
        expected = int(offset.total_seconds()), int(bool(there.dst())), there.tzname()
        assert types[current[-1] if current else 0] == expected


def slim(data: bytes) -> bytes:
    """Return a zone's file as some systems have it: of later years only its rule speaks."""
    at = data.index(b"TZif", 1)
    header = list(timezones.HEADER.unpack_from(data, at))
    body, times = at + timezones.HEADER.size, header[5]
    begins = struct.unpack_from(f">{times}q", data, body)
    header[5] = few = len([begin for begin in begins if begin < 1_600_000_000])
    kinds = body + 8 * times
    return (
        data[:at]
        + timezones.HEADER.pack(*header)
        + data[body : body + 8 * few]
        + data[kinds : kinds + few]
        + data[kinds + times :]
    )
