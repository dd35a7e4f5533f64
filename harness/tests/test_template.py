"""Templates: made once whoever asks, taken only when whole, done without where they can't be."""

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from throwaway_mysql import ServerError
from throwaway_mysql.cache import UNUSED_FOR
from throwaway_mysql.login import Answer
from throwaway_mysql.servers import template
from throwaway_mysql.servers.datadir import initialise
from throwaway_mysql.servers.program import find_program
from throwaway_mysql.servers.run import RunServer
from throwaway_mysql.testing.killing import is_killed_at
from throwaway_mysql.testing.looking import MOMENTS, processes, wait_until

BUILDER = """
import sys
from pathlib import Path
from throwaway_mysql.servers.run import RunServer
RunServer(sys.argv[1], inside=Path(sys.argv[2])).close()
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the cache folder of this test's own, which is empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/throwaway-mysql"


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Return the data folders that have been made without a template."""
    folders: list[Path] = []

    def noted(*arguments: object) -> None:
        folders.append(arguments[2])  # type: ignore[arg-type]  # data
        initialise(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(template, "initialise", noted)
    return folders


def serve(program: str) -> None:
    """See that a server can be had."""
    with closing(RunServer(program, tcp=False)) as server:
        assert server.root.answer() is Answer.SERVICE


def templates(cache: Path) -> list[Path]:
    """Return the templates, without what else is kept."""
    return sorted(cache.glob("*.template"))


def test_first_builds_at_once_make_one_template(
    mysql_program: str, cache: Path, built: list[Path]
) -> None:
    with ExitStack() as stack, ThreadPoolExecutor(4) as pool:
        started = [pool.submit(RunServer, mysql_program) for _ in range(4)]
        servers = [stack.enter_context(closing(future.result())) for future in started]
        assert [server.root.answer() for server in servers] == [Answer.SERVICE] * 4
    assert len(built) == 1
    assert len(templates(cache)) == 1


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_builder_that_is_killed_leaves_nothing(
    mysql_program: str, cache: Path, built: list[Path], tmp_path: Path, moment: str
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    argv = [sys.executable, "-c", BUILDER, mysql_program, str(place)]
    is_killed = False
    while not is_killed:
        shutil.rmtree(cache, ignore_errors=True)
        with subprocess.Popen(argv) as builder:
            is_killed = is_killed_at(moment, builder, place)
    wait_until(lambda: not processes(place) and not list(place.iterdir()))
    assert templates(cache) == []
    serve(mysql_program)
    assert len(built) == 1


def test_half_of_one_is_none_and_is_removed_when_it_is_old(
    mysql_program: str, cache: Path, built: list[Path]
) -> None:
    cache.mkdir(parents=True)
    half, new = (cache / f"throwaway-mysql-{name:_<8}.part" for name in ("half", "new"))
    for file in (half, new):
        file.write_bytes(b"half")
    os.utime(half, (0, 0))
    serve(mysql_program)
    assert len(built) == 1
    assert not half.exists()
    assert new.exists()  # another process may be at it


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "cut": lambda content: content[: len(content) // 2],
    "changed": lambda content: content.replace(b"\0" * 64, b"\1" * 64, 1),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_one_is_noticed_and_made_anew(
    mysql_program: str, cache: Path, built: list[Path], damage: str
) -> None:
    serve(mysql_program)
    [image] = templates(cache)
    image.write_bytes(DAMAGES[damage](image.read_bytes()))
    serve(mysql_program)
    serve(mysql_program)
    assert len(built) == 2


def test_options_have_a_template_each_unless_they_are_one_runs_own(
    mysql_program: str, cache: Path, tmp_path: Path
) -> None:
    own = f"--general-log-file={tmp_path}/log"
    for flags in ([], ["--lower-case-table-names=1"], [own]):
        RunServer(mysql_program, flags=flags).close()
    assert len(templates(cache)) == 2


def test_what_calls_itself_another_build_has_its_own_though_the_file_is_the_same(
    mysql_program: str, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "script"
    script.write_text(
        f'#!/bin/sh\n[ "$2" = --version ] && exec echo "Ver 99.1 $BUILD"\n'
        f'exec {shlex.quote(mysql_program)} "$@"\n'
    )
    script.chmod(0o755)
    family = find_program(mysql_program).family
    for build in ("one", "other"):
        monkeypatch.setenv("BUILD", f"{family} {build}")
        serve(str(script))
    assert len(templates(cache)) == 2


def test_one_that_nobody_used_for_long_is_removed(mysql_program: str, cache: Path) -> None:
    serve(mysql_program)
    names = (f"{'0' * 32}.template", f"{'1' * 32}.template", f"{'0' * 32}.other")
    old, recent, other = (cache / name for name in names)
    ages = {old: UNUSED_FOR + 60, recent: UNUSED_FOR - 3600, other: UNUSED_FOR + 60}
    for file, age in ages.items():
        file.touch()
        os.utime(file, (time.time() - age,) * 2)
    [image] = set(templates(cache)) - {old, recent}
    os.utime(image, (0, 0))
    serve(mysql_program)  # uses it
    RunServer(mysql_program, flags=["--lower-case-table-names=1"]).close()  # removes
    assert not old.exists()
    assert recent.exists()
    assert other.exists()
    assert image.exists()


@pytest.mark.parametrize(
    "environ",
    [
        {"XDG_CACHE_HOME": "/dev/null/cache"},
        {"XDG_CACHE_HOME": "", "HOME": "/dev/null"},
        {"XDG_CACHE_HOME": "relative", "HOME": "/dev/null"},
    ],
    ids=["no cache folder", "no home", "a relative folder, which counts as none"],
)
def test_without_a_place_for_one_each_run_makes_its_own(
    mysql_program: str,
    built: list[Path],
    monkeypatch: pytest.MonkeyPatch,
    environ: dict[str, str],
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    serve(mysql_program)
    serve(mysql_program)
    assert len(built) == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_cache_folder_of_someone_else_is_not_trusted(
    mysql_program: str, cache: Path, built: list[Path]
) -> None:
    cache.mkdir(parents=True)
    os.chown(cache, 12345, 12345)
    serve(mysql_program)
    assert len(built) == 1
    assert list(cache.iterdir()) == []


def test_a_read_only_cache_is_read(mysql_program: str, cache: Path, built: list[Path]) -> None:
    serve(mysql_program)
    cache.chmod(0o500)  # root does not mind, for whom this is only a second use
    serve(mysql_program)
    assert len(built) == 1
    cache.chmod(0o700)


def test_servers_from_one_template_share_no_identity(mysql_program: str) -> None:
    with ExitStack() as stack:
        servers = [stack.enter_context(closing(RunServer(mysql_program))) for _ in range(2)]
        assert servers[0].root.password != servers[1].root.password
        if servers[0].program.family != "MySQL":
            return
        ids = set()
        for server in servers:
            with server.root.connect() as connection, connection.cursor() as cursor:
                cursor.execute("SELECT @@server_uuid")
                ids.add(cursor.fetchone())
        assert len(ids) == 2


def test_an_option_that_the_server_does_not_know_is_one_line(
    mysql_program: str, cache: Path, tmp_path: Path
) -> None:
    with pytest.raises(ServerError, match="--no-such-option") as error:
        RunServer(mysql_program, flags=["--no-such-option"], inside=tmp_path)
    assert "\n" not in str(error.value)
    assert list(tmp_path.glob("throwaway-mysql-*")) == []
    assert templates(cache) == []
