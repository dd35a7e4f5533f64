"""Folders of runs: gone with the run however it ends, or by the next sweep, and no others."""

import fcntl
import os
import shutil
import signal
from pathlib import Path

import pytest
from support.processes import alive, guards, kill_guard, running, wait_until

from throwaway_mysql import folder as folders
from throwaway_mysql import guard
from throwaway_mysql.folder import BEGIN, RunFolder, claim, has_run, sweep_folders
from throwaway_mysql.guard import GONE

HOLDS = """
import sys, time
from pathlib import Path
from throwaway_mysql import folder
folder.TMPFS, folder.ROOM = Path(sys.argv[1]), 0
claimed = folder.RunFolder()
print(claimed.folder, flush=True)
time.sleep(600)
"""
SERVES = """
import sys, time
from pathlib import Path
from throwaway_mysql import folder, server
folder.TMPFS, folder.ROOM = Path(sys.argv[1]), 0
server = server.Server(sys.argv[2], tcp=False)
print(server.pid, server.folder, flush=True)
time.sleep(600)
"""
SWEEPS = """
import sys
from pathlib import Path
from throwaway_mysql import folder
folder.TMPFS = Path(sys.argv[1])
print("begun", flush=True)
while True:
    folder.sweep_folders()
"""


pytestmark = pytest.mark.usefixtures("parent")


def test_a_folder_goes_when_its_run_is_killed_or_closes_it(parent: Path) -> None:
    with running(HOLDS, parent) as (_, folder):
        [guard] = guards(Path(folder))
        assert os.getsid(guard) != os.getsid(0)  # so that Ctrl-C does not reach it
        wait_until(lambda: ignores(guard, signal.SIGTERM))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(guard, number)
        sweep_folders()
        assert Path(folder).exists()
    wait_until(lambda: not list(parent.iterdir()))
    with RunFolder() as run:
        assert has_run(run.folder)
    assert list(parent.iterdir()) == []
    run.close()


def ignores(pid: int, number: signal.Signals) -> bool:
    """Tell whether a process ignores a signal."""
    status = dict(
        line.split(":\t") for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    return bool(int(status["SigIgn"], 16) & 1 << (number - 1))


@pytest.mark.parametrize("is_frozen", [False, True], ids=["", "stopped"])
def test_server_and_folder_go_where_run_and_guard_were_killed(
    mysql_program: str, parent: Path, *, is_frozen: bool
) -> None:
    with running(SERVES, parent, mysql_program) as (run, line):
        pid, folder = line.split()
        kill_guard(Path(folder))
        sweep_folders()
        assert alive(int(pid))  # the run lives
        if is_frozen:
            os.kill(int(pid), signal.SIGSTOP)
    assert run.wait() == -signal.SIGKILL
    assert alive(int(pid))
    sweep_folders()
    wait_until(lambda: not alive(int(pid)))  # until its parent takes note
    assert list(parent.iterdir()) == []


def test_a_run_ends_its_folder_though_the_guard_was_killed(parent: Path) -> None:
    run = RunFolder()
    kill_guard(run.folder)
    run.close()
    assert list(parent.iterdir()) == []


def test_a_process_does_not_lose_its_own(parent: Path) -> None:
    with RunFolder() as run:
        sweep_folders()
        with running(SWEEPS.replace("while True", "if True"), parent) as (other, _):
            assert other.wait() == 0
        assert run.folder.exists()


def test_only_what_a_run_left_goes(parent: Path) -> None:
    goes = [parent / f"{BEGIN}{name}" for name in ("an_empty", f"one_half{GONE}", "is_killd")]
    stays = [parent / f"{BEGIN}{name}" for name in ("personal", "notes", f"mine{GONE}")]
    for folder in (*goes, *stays):
        folder.mkdir(mode=0o700)
    for folder in (goes[1], *stays):
        (folder / "a file").touch()
    (goes[2] / "alive").touch()
    (parent / f"{BEGIN}open1234{GONE}").mkdir(mode=0o755)
    (parent / f"{BEGIN}the_link").symlink_to(stays[1])
    (parent / f"{BEGIN}the_file").touch()
    before = set(parent.iterdir())
    sweep_folders()
    assert before - set(parent.iterdir()) == set(goes)


def test_who_makes_a_folder_gets_one_though_others_sweep_just_then(parent: Path) -> None:
    with running(SWEEPS, parent), running(SWEEPS, parent):
        for _ in range(300):
            folder, descriptor = claim(parent)
            assert (folder / "alive").exists()
            os.close(descriptor)


def test_a_folder_that_a_sweep_takes_before_the_lock_is_left_for_another(
    parent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = fcntl.lockf
    taken: list[Path] = []

    def take_first(descriptor: int, how: int) -> None:
        if not taken:
            taken.extend(parent.iterdir())
            shutil.rmtree(taken[0])
        lock(descriptor, how)

    monkeypatch.setattr("fcntl.lockf", take_first)
    folder, descriptor = claim(parent)
    os.close(descriptor)
    assert [folder] == list(parent.iterdir()) != taken


def test_nothing_can_begin_on_a_folder_once_its_servers_are_looked_for(
    parent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    monkeypatch.setattr(guard, "servers", lambda folder: looks.append(Path(folder).exists()))
    with RunFolder():
        pass
    assert looks == [False]
    assert list(parent.iterdir()) == []


def test_without_room_in_memory_or_with_a_long_path_it_is_elsewhere(
    parent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short, long = parent / "short", parent / ("long" * 20)
    for path in (short, long):
        path.mkdir()
    monkeypatch.setattr(folders, "ROOM", 2**60)
    monkeypatch.setattr(folders, "OTHERS", (short,))
    monkeypatch.setattr("tempfile.tempdir", str(long))
    with RunFolder() as run:
        assert run.folder.parent.name == "short"
