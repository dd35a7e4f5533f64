"""The one server of a run: for all its processes, and gone with it however it ends."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from throwaway_mysql.testing.killing import end_all
from throwaway_mysql.testing.looking import alive, processes, wait_until

TELLS = """
import os

def tell(login, request):
    folder = login.folder
    pid = (folder / "data/mysqld.pid").read_text().strip()
    with open("told", "a") as told:
        print(os.getpid(), pid, folder, file=told)
"""
PASSES = """
from telling import tell

def test_it(mysql_server, request):
    tell(mysql_server, request)
    mysql_server.connect().close()
"""
WAITS = """
import time
from telling import tell

def test_it(mysql_server, request):
    tell(mysql_server, request)
    time.sleep(600)
"""
FORKS = """
import os, time
from telling import tell

def test_it(mysql_server, request):
    if os.fork():
        tell(mysql_server, request)
    time.sleep(600)
"""
DIES = """
import os, signal
from telling import tell

def test_it(mysql_server, request):
    tell(mysql_server, request)
    os.kill(os.getpid(), signal.SIGKILL)
"""
SERVER_DIES = """
import os, signal

def test_it(mysql_server):
    pid = int((mysql_server.folder / "data/mysqld.pid").read_text())
    os.kill(pid, signal.SIGKILL)

def test_another(mysql_server):
    mysql_server.connect()
"""
NEEDS_NONE = """
def test_it(pytestconfig):
    from throwaway_mysql.plugin.server_fixtures import HOME
    assert HOME not in pytestconfig.stash
"""
PLAIN = "-p no:cacheprovider -p no:randomly"


@dataclass(frozen=True)
class Told:
    """What a test of a run told."""

    process: int
    server: int
    folder: Path


class Project:
    """A project of nothing but tests, which are run for real."""

    def __init__(self, folder: Path, program: str) -> None:
        self.folder = folder
        self.environ = os.environ | {"THROWAWAY_MYSQLD": program, "PYTHONPATH": self._path()}
        (folder / "telling.py").write_text(TELLS)
        (folder / "pytest.ini").write_text("[pytest]\npythonpath = .\n")

    def run(self, *modules: str, options: str = "") -> "subprocess.Popen[str]":
        """Run tests in a module each."""
        for number, module in enumerate(modules):
            (self.folder / f"test_{number}.py").write_text(module)
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", *PLAIN.split(), *options.split()],
            cwd=self.folder,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def told(self, count: int = 0) -> list[Told]:
        """Return what was told, once there are `count` lines."""
        file = self.folder / "told"
        wait_until(lambda: file.exists() and file.read_text().count("\n") >= count)
        lines = [line.split() for line in file.read_text().splitlines()]
        return [Told(int(process), int(pid), Path(folder)) for process, pid, folder in lines]

    @staticmethod
    def _path() -> str:
        return os.pathsep.join(filter(None, sys.path))


@pytest.fixture
def project(tmp_path: Path, mysql_program: str) -> Project:
    """Return such a project."""
    return Project(tmp_path, mysql_program)


def gone(told: Told) -> bool:
    """Tell whether nothing is left of a server."""
    return not alive(told.server) and not told.folder.exists() and not processes(told.folder)


@pytest.mark.parametrize("options", ["", "-n 2"])
def test_it_ends_with_the_run(project: Project, options: str) -> None:
    with project.run(PASSES, options=options) as run:
        assert run.wait() == 0
        [told] = project.told()
        assert gone(told)


def test_two_workers_have_the_same(project: Project) -> None:
    with project.run(PASSES, PASSES, PASSES, PASSES, options="-n 2 --dist each") as run:
        assert run.wait() == 0
    told = project.told()
    assert len({one.process for one in told}) == 2
    assert len({one.server for one in told}) == 1


@pytest.mark.parametrize("options", ["", "-n 2"])
@pytest.mark.parametrize("module", [WAITS, FORKS], ids=["", "though a forked child goes on"])
def test_it_ends_with_a_run_that_is_killed(project: Project, module: str, options: str) -> None:
    with project.run(module, options=options) as run:
        [told] = project.told(1)
        run.kill()
        wait_until(lambda: gone(told))
        end_all(project.folder)


def test_it_outlives_the_worker_that_started_it(project: Project) -> None:
    # Not by file: xdist 3.8 hangs there after a crash, without us, too.
    with project.run(DIES, PASSES, PASSES, options="-n 1 --dist worksteal") as run:
        said, _ = run.communicate()
    assert "2 passed" in said, said
    told = project.told()
    assert len({one.process for one in told}) == 2
    assert len({one.server for one in told}) == 1
    assert gone(told[0])


def test_one_that_dies_in_mid_run_is_a_clear_error(project: Project) -> None:
    with project.run(SERVER_DIES, options="-rA") as run:
        said, _ = run.communicate()
    assert "1 failed, 1 passed" in said, said
    line = "the private server of this run has ended: [ERROR] it was ended by signal 9"
    assert line in said


def test_one_that_cannot_start_is_one_error_for_all_workers(project: Project) -> None:
    broken = project.folder / "mysqld"
    broken.write_text('#!/bin/sh\necho "mysqld  Ver 10.11.6-MariaDB"\nexit 1\n')
    broken.chmod(0o755)
    project.environ["THROWAWAY_MYSQLD"] = str(broken)
    project.environ["XDG_CACHE_HOME"] = str(project.folder / "cache")
    with project.run(PASSES, PASSES, options="-n 2") as run:
        said, _ = run.communicate()
    assert "2 errors" in said, said
    assert said.count("the data folder could not be made") >= 2


@pytest.mark.parametrize("options", ["", "-n 1 --dist no", "-p no:xdist"])
def test_a_run_that_needs_none_makes_no_folder(project: Project, options: str) -> None:
    with project.run(NEEDS_NONE, options=options) as run:
        said, _ = run.communicate()
    assert "1 passed" in said, said
