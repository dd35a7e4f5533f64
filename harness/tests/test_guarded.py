"""A guarded folder ends with its process, however that ends, and not before."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from throwaway_mysql import ServerError
from throwaway_mysql.login import Answer
from throwaway_mysql.servers.datadir import initialise
from throwaway_mysql.servers.guarded import LONGEST_FOLDER, Guarded, guarding
from throwaway_mysql.servers.hold import await_guard
from throwaway_mysql.servers.program import find_program
from throwaway_mysql.servers.run import RunServer
from throwaway_mysql.testing.looking import WITHIN, alive, guards, processes, wait_until

FORKER = """
import os, sys, time
from pathlib import Path
from throwaway_mysql.servers.guarded import guarding
folder = Path(sys.argv[1])
with guarding(folder, folder / "log") as guarded:
    guarded.start(["/bin/sleep", "600"])
    child = os.fork()
    if child:
        print(child, guarded.pid, flush=True)
    time.sleep(600)
"""
# Signals before there is a program.
SIGNALS = """
import signal, sys
from pathlib import Path
from throwaway_mysql.servers.guarded import guarding
folder = Path(sys.argv[1])
with guarding(folder, folder / "log") as guarded:
    guarded.signal(signal.SIGKILL)
"""
# A guard at the run's end, while the thread that awaited the program has not told so yet.
ENDS_JUST_THEN = """
import subprocess, sys
from types import SimpleNamespace
from throwaway_mysql.servers.guard import Guard
guard = Guard([sys.argv[1]])
with subprocess.Popen(["/bin/true"]) as program:
    guard.pid = program.pid
guard.running = SimpleNamespace(locked=lambda: True, acquire=lambda: None)
guard.watch()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder to guard."""
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


@pytest.fixture
def guarded(folder: Path) -> Iterator[Guarded]:
    """Guard it."""
    with guarding(folder, folder / "log") as guarded:
        yield guarded


def test_a_forked_child_that_outlives_its_process_does_not_keep_it(folder: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", FORKER, str(folder)], stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout
        child, program = map(int, run.stdout.readline().split())
        run.kill()
    try:
        wait_until(lambda: not folder.exists())
        assert not alive(program)
        assert alive(child)
    finally:
        os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize(
    "by", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda by: by.name
)
def test_the_guard_ends_by_no_signal_that_is_for_the_run(
    guarded: Guarded, folder: Path, by: signal.Signals
) -> None:
    guarded.start(["/bin/sleep", "600"])
    [guard] = guards(folder)
    os.kill(guard, by)
    assert guarded.poll() is None
    os.kill(guarded.pid, signal.SIGTERM)
    assert guarded.wait(WITHIN) == -signal.SIGTERM  # as the guard says, which is there
    assert folder.exists()


def test_programs_run_one_after_the_other_and_what_they_read_is_given(
    guarded: Guarded, folder: Path
) -> None:
    source = folder / "a source"
    source.write_text("said\n")
    guarded.start(["/bin/cat"], source)
    assert guarded.wait(WITHIN) == 0
    guarded.start(["/bin/sh", "-c", "exit 3"])
    assert guarded.wait(WITHIN) == 3
    assert guarded.poll() == 3
    assert (folder / "log").read_text() == "said\n"


def test_a_program_that_a_signal_ended_is_noted_in_the_log(guarded: Guarded, folder: Path) -> None:
    guarded.start(["/bin/sleep", "600"])
    os.kill(guarded.pid, signal.SIGKILL)
    assert guarded.wait(WITHIN) == -signal.SIGKILL
    assert (folder / "log").read_text() == "[ERROR] it was ended by signal 9\n"


def test_a_program_that_cannot_be_run_has_ended(guarded: Guarded, folder: Path) -> None:
    guarded.start(["/nowhere/program"])
    assert guarded.wait(WITHIN) == 127
    assert (folder / "log").read_text() == "[ERROR] /nowhere/program: No such file or directory\n"


def test_a_program_that_takes_too_long_is_an_error(guarded: Guarded) -> None:
    guarded.start(["/bin/sleep", "600"])
    with pytest.raises(ServerError, match="did not end within 0 s"):
        guarded.wait(0.01)


def test_a_program_does_not_outlive_its_guard_and_block(folder: Path) -> None:
    with guarding(folder, folder / "log") as guarded:
        guarded.start(["/bin/sleep", "600"])
        [guard] = guards(folder)
        os.kill(guard, signal.SIGKILL)
    wait_until(lambda: not alive(guarded.pid))
    assert not folder.exists()


def test_no_program_is_started_after_its_guards_end(guarded: Guarded, folder: Path) -> None:
    guarded.start(["/bin/true"])
    assert guarded.wait(WITHIN) == 0
    [guard] = guards(folder)
    os.kill(guard, signal.SIGKILL)
    await_guard(folder)
    with pytest.raises(ServerError, match="the guard of the server was killed"):
        guarded.start(["/bin/true"])
    assert guarded.pid == 0  # a process group's number would be killed at the end
    assert guarded.poll() == -signal.SIGKILL


def test_a_signal_for_no_program_is_for_no_one_else(folder: Path) -> None:
    argv = [sys.executable, "-c", SIGNALS, str(folder)]
    done = subprocess.run(argv, capture_output=True, check=False, start_new_session=True)
    assert (done.returncode, done.stderr) == (0, b"")


def test_data_whose_guard_was_killed_before_they_were_finished_are_no_good(
    guarded: Guarded, folder: Path, mysql_program: str
) -> None:
    def kill_guard(_: object) -> None:
        [guard] = guards(folder)
        os.kill(guard, signal.SIGKILL)
        await_guard(folder)

    with pytest.raises(ServerError, match="the data folder was not finished"):
        initialise(guarded, find_program(mysql_program), folder / "data", kill_guard)


def test_the_guard_removes_the_folder_though_the_program_ended_just_then(folder: Path) -> None:
    argv = [sys.executable, "-c", ENDS_JUST_THEN, str(folder)]
    done = subprocess.run(argv, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert not folder.exists()


def test_a_long_path_has_its_socket_elsewhere_and_both_are_removed(
    mysql_program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / ("long" * LONGEST_FOLDER)[: LONGEST_FOLDER + 20]
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    monkeypatch.setattr("throwaway_mysql.servers.run.roomy", lambda: None)
    with closing(RunServer(mysql_program, tcp=False)) as server:
        assert server.folder.parent == place
        assert server.root.answer() is Answer.SERVICE
        socket = Path(server.root.unix_socket or "")
        assert len(str(socket)) < 108
    assert not socket.parent.exists()
    assert list(place.iterdir()) == []
    assert processes(place) == []
