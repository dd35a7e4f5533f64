"""A server on a full disk: one line, and nothing left."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from throwaway_mysql import ServerError
from throwaway_mysql.login import Answer
from throwaway_mysql.servers.run import RunServer
from throwaway_mysql.testing.looking import processes

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")


@contextmanager
def disk(place: Path, size: str) -> Iterator[Path]:
    """Mount a small disk; skip where that isn't allowed."""
    place.mkdir()
    argv = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    if subprocess.run(argv, capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine lets us mount no disk")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)  # noqa: S607


@pytest.mark.parametrize("template", [True, False], ids=["with", "without"])
@pytest.mark.parametrize("size", ["16k", "1m", "6m"])
def test_it_is_one_line_and_nothing_is_left(
    mysql_program: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    size: str,
    *,
    template: bool,
) -> None:
    if template:
        RunServer(mysql_program).close()
    else:
        monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    with disk(tmp_path / "disk", size) as place:
        with pytest.raises(ServerError, match="the disk is full: make room") as error:
            RunServer(mysql_program, inside=place)
        assert "\n" not in str(error.value)
        assert list(place.iterdir()) == []
        assert processes(place) == []


def test_a_full_cache_does_not_matter(
    mysql_program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with disk(tmp_path / "disk", "1m") as cache, ExitStack() as stack:
        monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
        server = stack.enter_context(closing(RunServer(mysql_program)))
        assert server.root.answer() is Answer.SERVICE
        assert {file.suffix for file in cache.rglob("*.*")} <= {".program"}  # no half template
