"""The command `throwaway-mysql`."""

import subprocess
import sys
from collections.abc import Callable
from importlib import metadata

import pytest

from throwaway_mysql import Databases, Login, free_port
from throwaway_mysql.cli import main

Command = Callable[..., tuple[int, str, str]]
Names = Callable[[], list[str]]

# A process that makes databases, keeps the last, and ends.
MAKES = """
import sys
from throwaway_mysql import Databases, Login

databases = Databases(Login.from_url(sys.argv[1]), sys.argv[2])
for _ in range(int(sys.argv[3])):
    name = databases.create().name
databases.keep(name)
"""


@pytest.fixture
def command(
    narrow: Login, prefix: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    """Return a function that runs the command on the tests' server; it returns status, output."""
    monkeypatch.setenv("MYSQL_PWD", narrow.password)
    where = ["--host", narrow.host, "--port", str(narrow.port), "--user", narrow.user]

    def run(*words: str) -> tuple[int, str, str]:
        status = main([*words, *where, "--prefix", prefix])
        output = capsys.readouterr()
        assert narrow.password not in output.out + output.err
        return status, output.out, output.err

    return run


def leave(login: Login, prefix: str, number: int) -> None:
    """Let another process make databases and end."""
    argv = [sys.executable, "-c", MAKES, login.url(), prefix, str(number)]
    subprocess.run(argv, check=True)


def test_it_lists_whose_databases_are_and_drops_what_was_left(
    command: Command, narrow: Login, prefix: str, there: Names
) -> None:
    leave(narrow, prefix, 3)
    live = Databases(narrow, prefix)
    name = live.create().name
    status, lines, _ = command("list")
    assert status == 0
    states = {line.split("  ")[0]: line.split("  ")[1] for line in lines.splitlines()}
    assert sorted(states) == there()
    assert states.pop(name).startswith("live: process ")
    assert sorted(state.split(":")[0] for state in states.values()) == ["kept", "left", "left"]
    kept, *left = sorted(states, key=lambda one: (states[one], one))
    assert command("sweep") == (0, "".join(f"{one}  dropped\n" for one in left), "")
    assert command("sweep", "--kept") == (0, f"{kept}  dropped\n", "")
    assert there() == [name]
    live.drop(name)
    live.close()


def test_a_list_of_nothing_says_so(command: Command, narrow: Login, prefix: str) -> None:
    line = f"no run has a database at {narrow.address} with {prefix}\n"
    assert command("list") == (0, "", line)


@pytest.mark.parametrize("words", [["list"], ["sweep"]])
def test_what_is_wrong_is_one_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    port = str(free_port())
    assert main([*words, "--port", port, "--prefix", "shop_test_"]) == 1
    output = capsys.readouterr()
    assert (output.out, output.err) == ("", f"no server answers at 127.0.0.1:{port}\n")


def test_it_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    version = metadata.version("throwaway-mysql")
    assert capsys.readouterr().out == f"throwaway-mysql {version}\n"
