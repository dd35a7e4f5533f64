"""The end of a server that was kept, though its process number is another's, or others look."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Timer

import pytest

from throwaway_mysql import ServerError
from throwaway_mysql.servers import hold, kept
from throwaway_mysql.servers.run import claim
from throwaway_mysql.testing.looking import WITHIN

GUARDS = """
import fcntl, sys
with open(sys.argv[1], "w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    print(flush=True)
    sys.stdin.read()
"""
# Looks as a sweep does whether the folder was left, as long as it is told to.
LOOKS = """
import sys
from pathlib import Path
from throwaway_mysql.servers.hold import abandoned
print(flush=True)
input()
with abandoned(Path(sys.argv[1])) as so:
    print(so, flush=True)
    input()
print(flush=True)
"""
SERVES = "print(flush=True); input()"


@contextmanager
def running(script: str, argument: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a script until the block ends."""
    argv = [sys.executable, "-c", script, argument]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "\n"
            yield process
        finally:
            process.kill()


def tell(process: "subprocess.Popen[str]") -> str:
    """Let a script go on; return what it says to that."""
    assert process.stdin
    assert process.stdout
    print(file=process.stdin, flush=True)
    return process.stdout.readline().strip()


@contextmanager
def kept_in(place: Path) -> Iterator[tuple[Path, "subprocess.Popen[str]"]]:
    """Make what a run leaves that was killed after it had kept something: folder and server."""
    folder, held = claim(place)
    (folder / "data").mkdir()
    for name in ("guard", "kept"):
        (folder / name).touch()
    with closing(held), running(SERVES, f"--datadir={folder}/data") as server:
        held.close()
        yield folder, server


def test_a_process_that_has_the_number_of_the_ended_server_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "ENDED_WITHIN", 0.1)
    with kept_in(tmp_path) as (folder, server), running(GUARDS, str(folder / "guard")):
        server.communicate("")
        with running(SERVES, "another") as another:
            (folder / "data/mysqld.pid").write_text(f"{another.pid}\n")
            with pytest.raises(ServerError, match="has not ended within 0 s"):
                kept.end(folder)
            another.communicate("\n")
            assert another.returncode == 0


def test_a_look_of_another_meanwhile_is_taken_for_no_guard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hold, "LOOK_WITHIN", WITHIN)
    with kept_in(tmp_path) as (folder, server), running(LOOKS, str(folder)) as looking:
        ending = Timer(0.1, tell, [looking])  # the look

        def then_looked_at(folder: Path) -> bool:
            so = has_run(folder)
            assert tell(looking) == "True"
            ending.start()
            return so

        has_run = hold.has_run
        monkeypatch.setattr(hold, "has_run", then_looked_at)
        said = kept.end(folder)
        assert said == f"the server in {folder} has ended, and what it kept is gone"
        assert not folder.exists()
        ending.join()
        server.wait()
