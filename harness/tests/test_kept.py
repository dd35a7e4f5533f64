"""What a run keeps on its private server: there after the run, until someone ends it."""

import os
import re
import signal
from pathlib import Path

import pytest

from throwaway_mysql import ServerError
from throwaway_mysql.servers import kept as servers_kept
from throwaway_mysql.servers.hold import await_guard
from throwaway_mysql.servers.leftovers import sweep
from throwaway_mysql.testing.keeping import WRITES, Keeper, end, guard_of, kept, listed
from throwaway_mysql.testing.looking import alive, processes, wait_until
from throwaway_mysql.testing.nested import short_folder

KILLED = """
import os, signal
import pytest

@pytest.mark.parametrize("number", [1, 2])
def test_it(create_db, mysql_server, number):
    print("folder", mysql_server.folder, flush=True)
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
"""
# While the run goes on, someone lists and ends what it has kept so far.
GOES_ON = """
import subprocess, sys
import pytest
from throwaway_mysql.testing.looking import WITHIN

@pytest.mark.parametrize("number", [1, 2])
def test_it(create_db, mysql_server, number):
    for words in (["kept"], ["end", str(mysql_server.folder)]) if number == 2 else ():
        argv = [sys.executable, "-m", "throwaway_mysql", *words]
        print(*words, subprocess.run(argv, capture_output=True, text=True, timeout=WITHIN))
    mysql_server.connect().close()
"""


@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["", "xdist"])
def test_only_what_is_kept_outlives_the_run_and_ends_when_told(
    keeper: Keeper, options: list[str]
) -> None:
    [one] = kept(keeper, keeper.run(WRITES, "--db-keep=failed", *options))
    assert one.folder.is_dir()
    assert alive(one.server)
    assert [path.name for path in (one.folder / "data").glob("throwaway_test_*")] == [one.database]
    assert os.getsid(one.server) != os.getsid(0)  # so no terminal's end reaches it
    done = end(one.folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert not one.folder.exists()
    assert not processes(one.folder)


def test_what_a_run_has_kept_that_goes_on_is_marked_and_not_ended(keeper: Keeper) -> None:
    said = keeper.run(GOES_ON, "--db-keep=all")
    assert "2 passed" in said
    one, _ = kept(keeper, said)
    lists, ends = re.findall(r"^(?:kept|end) .*CompletedProcess.*$", said, re.M)
    line = f"{one.folder} is still in use by the run that made it"
    assert f"\\n      {line}\\n" in lists
    assert f"returncode=1, stdout='', stderr='{line}: end that first\\n'" in ends
    assert line not in str(listed(one.folder))
    assert end(one.folder).returncode == 0


def test_a_server_that_does_not_end_is_not_awaited_for_ever(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    [one] = kept(keeper, keeper.run(WRITES, "--db-keep=failed"))
    os.kill(one.server, signal.SIGSTOP)
    try:
        monkeypatch.setattr("throwaway_mysql.servers.kept.ENDED_WITHIN", 0.1)
        with pytest.raises(ServerError, match=r"has not ended within 0 s: see .*/server\.log"):
            servers_kept.end(one.folder)
    finally:
        os.kill(one.server, signal.SIGCONT)
    wait_until(lambda: not one.folder.exists() and not processes(one.folder))


def test_its_own_end_leaves_nothing_either(keeper: Keeper) -> None:
    [one, other] = kept(keeper, keeper.run(WRITES, "--db-keep"))
    assert one.folder == other.folder
    os.kill(one.server, signal.SIGTERM)
    wait_until(lambda: not one.folder.exists() and not processes(one.folder))
    done = end(one.folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"there is no server in {one.folder} that a run kept\n"


def test_one_whose_guard_was_killed_is_spared_and_ends_when_told(keeper: Keeper) -> None:
    with short_folder() as place:  # where no other run sweeps
        [one] = kept(keeper, keeper.run(WRITES, "--db-keep=failed", TEST_TMPFS=str(place)))
        os.kill(guard_of(one.folder), signal.SIGKILL)
        await_guard(one.folder)
        server = one.server
        sweep([place])
        assert alive(server)
        done = end(one.folder)
        assert (done.returncode, done.stderr) == (0, "")
        assert not one.folder.exists()
        wait_until(lambda: not alive(server))


@pytest.mark.parametrize("name", ["project", "throwaway-mysql-mine"])
def test_what_is_no_folder_of_a_run_is_not_ended(tmp_path: Path, name: str) -> None:
    own = tmp_path / name
    own.mkdir()
    for file in ("kept", "code.py"):
        (own / file).touch()
    (tmp_path / "link").symlink_to(own)
    for folder in (own, tmp_path / "link"):
        done = end(folder)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"there is no server in {folder} that a run kept\n"
    assert (own / "code.py").exists()


def test_a_run_that_is_killed_leaves_what_it_had_kept_and_the_server(keeper: Keeper) -> None:
    said = keeper.run(KILLED, "--db-keep")
    [folder] = {Path(name) for name in re.findall(r"^.*folder (\S+)$", said, re.M)}
    (keeper.folder / "folders").write_text(str(folder))
    server = int((folder / "data/mysqld.pid").read_text())
    # Once the guard has met the run's end it has decided: it answers no more commands.
    assert end(folder).returncode == 0
    wait_until(lambda: not alive(server))
    assert not folder.exists()


def test_a_run_that_is_killed_before_keeps_nothing(keeper: Keeper) -> None:
    said = keeper.run(KILLED.replace("number == 2", "number == 1"), "--db-keep")
    [folder] = re.findall(r"^.*folder (\S+)$", said, re.M)
    wait_until(lambda: not Path(folder).exists() and not processes(Path(folder)))
