"""Run folders are removed with their run, however it ends, or by the next sweep; others stay."""

import os
import signal
from pathlib import Path

import pytest
from support.processes import alive, guards, kill_guard, running, wait_until

from throwaway_mysql import folder as folders
from throwaway_mysql import guard
from throwaway_mysql.folder import BEGIN, RunFolder, sweep_folders
from throwaway_mysql.guard import GONE, KEPT
from throwaway_mysql.owner import Owner

SERVES = """
import sys, time
from pathlib import Path
from throwaway_mysql import folder, server
folder.TMPFS, folder.ROOM = Path(sys.argv[1]), 0
server = server.Server(sys.argv[2], tcp=False)
print(server.pid, server.folder, flush=True)
time.sleep(600)
"""

pytestmark = pytest.mark.usefixtures("parent")


@pytest.mark.parametrize("is_frozen", [False, True], ids=["", "stopped"])
def test_folder_and_server_go_when_the_run_is_killed(
    mysql_program: str, parent: Path, *, is_frozen: bool
) -> None:
    with running(SERVES, parent, mysql_program) as (_, line):
        pid, folder = line.split()
        [guard] = guards(Path(folder))
        assert os.getsid(guard) != os.getsid(0)  # so that Ctrl-C does not reach it
        wait_until(lambda: ignores(guard, signal.SIGTERM))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(guard, number)
        if is_frozen:
            os.kill(int(pid), signal.SIGSTOP)
    wait_until(lambda: not alive(int(pid)) and not list(parent.iterdir()))


def ignores(pid: int, number: signal.Signals) -> bool:
    """Return whether a process ignores a signal."""
    status = dict(
        line.split(":\t") for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    return bool(int(status["SigIgn"], 16) & 1 << (number - 1))


def test_they_go_by_the_next_sweep_where_the_guard_was_killed_too(
    mysql_program: str, parent: Path
) -> None:
    with running(SERVES, parent, mysql_program) as (run, line):
        pid, folder = line.split()
        kill_guard(Path(folder))
        sweep_folders()
        assert alive(int(pid))  # the run lives
    assert run.wait() == -signal.SIGKILL
    assert alive(int(pid))
    sweep_folders()
    wait_until(lambda: not alive(int(pid)))  # until its parent reaps it
    assert list(parent.iterdir()) == []


def test_a_run_ends_its_folder_though_the_guard_was_killed(parent: Path) -> None:
    run = RunFolder()
    kill_guard(run.folder)
    sweep_folders()
    assert run.folder.exists()
    run.close()
    assert list(parent.iterdir()) == []
    run.close()


def test_only_what_a_run_left_goes(parent: Path, gone: Owner) -> None:
    elsewhere = Owner.me()._replace(machine="00000000")
    goes = [gone.name(BEGIN, 1), gone.name(BEGIN, 2) + GONE, gone.name(BEGIN, 3)]
    stays = [
        *(Owner.me().name(BEGIN, 1000), elsewhere.name(BEGIN, 1)),
        *(f"{BEGIN}personal", f"{BEGIN}personal{GONE}", gone.name("notes_", 1)),
    ]
    for name in (*goes, *stays):
        (parent / name).mkdir(mode=0o700)
        (parent / name / "a file").touch()
    (parent / goes[2] / KEPT).touch()  # but its server has ended
    link = gone.name(BEGIN, 4) + GONE
    (parent / link).symlink_to(stays[2])
    sweep_folders()
    assert {path.name for path in parent.iterdir()} == {*stays, link}
    assert all((parent / name / "a file").exists() for name in stays)


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
