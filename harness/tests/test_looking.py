"""The look at processes that other tests trust: who runs, and what was asked of them."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from throwaway_mysql.testing.killing import descendants
from throwaway_mysql.testing.looking import alive, process, processes, wait_until, working_in


@pytest.fixture
def child(tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a process that waits in a folder, which it is told of, until its input ends."""
    argv = ["/bin/sh", "-c", "read line; : $0", str(tmp_path)]
    with subprocess.Popen(argv, cwd=tmp_path, stdin=subprocess.PIPE) as process:
        yield process


def test_one_that_runs_is_found(child: "subprocess.Popen[bytes]", tmp_path: Path) -> None:
    found = process(child.pid)
    assert found
    assert (found.parent, found.folder) == (os.getpid(), tmp_path)
    assert processes(tmp_path) == [found.command]
    assert working_in(tmp_path) == [child.pid]
    assert descendants(os.getpid(), str(tmp_path)) == [os.getpid(), child.pid]


def test_one_that_has_ended_is_not_though_its_parent_has_not_taken_note(
    child: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    child.kill()
    wait_until(lambda: not alive(child.pid))
    assert processes(tmp_path) == []
    assert working_in(tmp_path) == []
    assert child.returncode is None
