"""A server program that is a script: what it has started ends with it, whoever is killed."""

import os
import signal
from pathlib import Path

import pytest

from throwaway_mysql import ServerError
from throwaway_mysql.login import Answer
from throwaway_mysql.servers.guarded import guarding
from throwaway_mysql.servers.hold import await_guard
from throwaway_mysql.servers.run import RunServer
from throwaway_mysql.testing.looking import alive, guards, processes, wait_until


def script(folder: Path, program: str, exec_: str = "") -> str:
    """Write a script that runs a server program."""
    path = folder / "mysqld"
    path.write_text(f'#!/bin/sh\n{exec_} "{program}" "$@"\n')
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have folders of runs in a place of their own."""
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.setattr("throwaway_mysql.servers.run.roomy", lambda: place)
    return place


@pytest.mark.parametrize("killed", ["nobody", "its guard", "it"])
def test_what_a_program_has_started_ends_with_it(tmp_path: Path, killed: str) -> None:
    (folder := tmp_path / "run").mkdir()
    log = folder / "log"
    with guarding(folder, log) as guarded:
        guarded.start(["/bin/sh", "-c", "sleep 600 & echo $!; wait"])
        wait_until(lambda: log.read_text().endswith("\n"))
        started = int(log.read_text())
        assert alive(started)
        if killed == "its guard":
            [guard] = guards(folder)
            os.kill(guard, signal.SIGKILL)
            await_guard(folder)
        if killed == "it":
            os.kill(guarded.pid, signal.SIGKILL)
            wait_until(lambda: not alive(started))
    wait_until(lambda: not alive(started))


def test_one_that_runs_the_server_beside_itself_is_refused_and_leaves_none(
    place: Path, tmp_path: Path, mysql_program: str
) -> None:
    path = script(tmp_path, mysql_program)
    with pytest.raises(ServerError) as error:
        RunServer(path)
    assert str(error.value) == f"{path} runs the server beside itself: begin that with `exec`"
    wait_until(lambda: not processes(place))
    assert not list(place.iterdir())


def test_one_that_becomes_the_server_is_taken(
    place: Path, tmp_path: Path, mysql_program: str
) -> None:
    server = RunServer(script(tmp_path, mysql_program, "exec"))
    assert server.root.answer(timeout=30) is Answer.SERVICE
    server.close()
    assert not processes(place)
    assert not list(place.iterdir())
