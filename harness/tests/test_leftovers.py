"""What runs leave that are killed with their guards: the next run removes it, and nothing else."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from throwaway_mysql import cache
from throwaway_mysql.servers.guard import GONE
from throwaway_mysql.servers.guarded import LONGEST_FOLDER
from throwaway_mysql.servers.hold import abandoned, await_guard
from throwaway_mysql.servers.leftovers import BEGIN, sweep
from throwaway_mysql.servers.run import claim
from throwaway_mysql.testing.looking import alive, guards, processes, wait_until
from throwaway_mysql.testing.nested import Project, short_folder

# A run's server with its data in a folder apart, and the names of all its folders.
SERVER = """
import sys, time
from pathlib import Path
from throwaway_mysql.servers import run
run.roomy = lambda: Path(sys.argv[2])
server = run.RunServer(sys.argv[1], inside=Path(sys.argv[3]), tcp=False)
print(server.pid, *server._guarded._folders, sep="\\n", flush=True)
time.sleep(600)
"""
HOLDS = """
import sys, time
from pathlib import Path
from throwaway_mysql.servers.run import claim
folder, hold = claim(Path(sys.argv[1]))
print(folder, flush=True)
time.sleep(600)
"""
HOLDS_GUARD = """
import fcntl, sys, time
with open(sys.argv[1], "w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    print("begun", flush=True)
    time.sleep(600)
"""
HOLDS_IT = """
import sys
from pathlib import Path
from throwaway_mysql.servers.hold import Hold
try:
    Hold(Path(sys.argv[1]))
except OSError as error:
    print(type(error).__name__)
"""
SWEEPS = """
import sys
from pathlib import Path
from throwaway_mysql.servers.leftovers import sweep
print("begun", flush=True)
while True:
    sweep([Path(sys.argv[1])])
"""
WRITES = """
import sys, time
from pathlib import Path
from throwaway_mysql.cache import replace
def write(part):
    part.write_text("half")
    print("begun", flush=True)
    time.sleep(600)
replace(Path(sys.argv[1]) / "it.template", write)
"""
GUARD_DIES = """
import os, signal
from pathlib import Path
from throwaway_mysql.servers.hold import await_guard
from throwaway_mysql.testing.looking import guards

def test_it(mysql_server):
    folder = mysql_server.folder
    Path("pid").write_text((folder / "data/mysqld.pid").read_text())
    [guard] = guards(folder)
    os.kill(guard, signal.SIGKILL)
    await_guard(folder)
    mysql_server.connect().close()
"""


@contextmanager
def running(script: str, *arguments: str | Path) -> Iterator["tuple[subprocess.Popen[str], str]"]:
    """Run a script until the block ends; yields the process and the first line that it says."""
    argv = [sys.executable, "-c", script, *map(str, arguments)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def kill_guard(folder: Path) -> None:
    """Kill the guard of a folder, once it is there."""
    [guard] = guards(folder)
    os.kill(guard, signal.SIGKILL)
    await_guard(folder)


def test_server_and_folders_go_where_run_and_guard_were_killed(
    mysql_program: str, tmp_path: Path
) -> None:
    place, data = tmp_path / ("long" * LONGEST_FOLDER)[:LONGEST_FOLDER], tmp_path / "data"
    place.mkdir()
    data.mkdir()
    (tmp_path / "link").symlink_to(data)
    with running(SERVER, mysql_program, place, tmp_path / "link") as (run, pid):
        assert run.stdout
        folders = [Path(run.stdout.readline().strip()) for _ in range(3)]
        kill_guard(folders[0])
        sweep([place])
        assert all(folder.exists() for folder in folders)  # the run lives
    assert alive(int(pid))
    sweep([place])
    wait_until(lambda: not alive(int(pid)))  # until its parent takes note
    assert not any(folder.exists() for folder in folders)
    assert [*place.iterdir(), *data.iterdir()] == []


def test_a_run_ends_its_server_though_the_guard_was_killed(
    mysql_program: str, tmp_path: Path
) -> None:
    with short_folder() as places:
        project = Project(tmp_path, places, "guard_test_", mysql_program)
        project.environ["XDG_CACHE_HOME"] = os.environ["XDG_CACHE_HOME"]  # it has a template
        project.write(it=GUARD_DIES)
        status, said = project.run()
        assert status == 0, said
        wait_until(lambda: not alive(int((tmp_path / "pid").read_text())))
        assert processes(places) == []
        assert project.left() == []


def test_a_folder_stays_as_long_as_its_run_lives(tmp_path: Path) -> None:
    with running(HOLDS, tmp_path) as (_, folder):
        sweep([tmp_path])
        assert Path(folder).exists()
    sweep([tmp_path])
    assert list(tmp_path.iterdir()) == []


def test_a_process_does_not_lose_its_own(tmp_path: Path) -> None:
    folder, hold = claim(tmp_path)
    with closing(hold):
        sweep([tmp_path])
        assert folder.exists()
        with running(SWEEPS.replace("while True", "if True"), tmp_path) as (other, _):
            assert other.wait() == 0
        assert folder.exists()
    sweep([tmp_path])
    assert not folder.exists()


def test_a_folder_stays_as_long_as_its_guard_lives(tmp_path: Path) -> None:
    folder, hold = claim(tmp_path)
    hold.close()
    with running(HOLDS_GUARD, folder / "guard"):
        sweep([tmp_path])
        assert folder.exists()
    with abandoned(folder) as so:
        assert so


def test_only_what_a_run_left_goes(tmp_path: Path) -> None:
    goes = [
        tmp_path / f"{BEGIN}{name}"
        for name in ("an_empty", f"one_half{GONE}", f"again_1_{GONE * 2}")
    ]
    names = (f"{BEGIN}personal", f"{BEGIN}notes", f"{BEGIN}mine{GONE}", "another")
    stays = [tmp_path / name for name in names]
    for folder in (*goes, *stays):
        folder.mkdir(mode=0o700)
    for folder in (*goes[1:], *stays):
        (folder / "a file").touch()
    open_to_all = tmp_path / f"{BEGIN}open1234{GONE}"
    open_to_all.mkdir()
    (tmp_path / f"{BEGIN}the_link").symlink_to(tmp_path / "another")
    (tmp_path / f"{BEGIN}the_file").touch()
    before = set(tmp_path.iterdir())
    sweep([tmp_path, tmp_path / "nowhere"])
    assert before - set(tmp_path.iterdir()) == set(goes)


def test_who_makes_a_folder_gets_one_though_others_sweep_just_then(tmp_path: Path) -> None:
    with running(SWEEPS, tmp_path), running(SWEEPS, tmp_path):
        for _ in range(500):
            folder, hold = claim(tmp_path)
            with closing(hold):
                assert (folder / "alive").exists()


def test_a_folder_that_a_sweep_has_is_no_runs(tmp_path: Path) -> None:
    folder, hold = claim(tmp_path)
    hold.close()
    with abandoned(folder) as so:
        assert so
        with running(HOLDS_IT, folder) as (_, said):
            assert said == "BlockingIOError"


def test_half_a_file_in_the_cache_goes_when_its_process_has_ended(tmp_path: Path) -> None:
    with running(WRITES, tmp_path):
        cache.remove_halves(tmp_path)
        assert len(list(tmp_path.glob("*.part"))) == 1
    cache.remove_halves(tmp_path)
    assert list(tmp_path.iterdir()) == []
