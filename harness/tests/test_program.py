"""The server program: named, or found, or one line that tells how to get one."""

import subprocess
import sys
from pathlib import Path

import pytest
from support.processes import WITHIN

from throwaway_mysql.errors import ServerError
from throwaway_mysql.program import find_program

NO_SERVER = "is not a MySQL or MariaDB server program that runs here"


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Hide what is installed; return the one folder that is searched besides PATH."""
    monkeypatch.delenv("THROWAWAY_MYSQLD", raising=False)
    monkeypatch.setenv("PATH", "/nowhere/bin")
    monkeypatch.setattr("throwaway_mysql.program.FOLDERS", [str(tmp_path)])
    return tmp_path


def executable(path: Path, text: str) -> Path:
    """Write a program."""
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_without_one_a_line_lists_what_was_tried_and_how_to_get_one(
    nothing_installed: Path,
) -> None:
    with pytest.raises(ServerError) as error:
        find_program()
    line = str(error.value)
    assert "\n" not in line
    for word in ("mariadbd", "mysqld", str(nothing_installed), "mariadb-server-core"):
        assert word in line
    assert "THROWAWAY_MYSQLD" in line


def test_the_environment_names_one_and_an_argument_goes_before_it(
    nothing_installed: Path, mysql_program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THROWAWAY_MYSQLD", mysql_program)
    assert find_program().path == Path(mysql_program)
    monkeypatch.setenv("THROWAWAY_MYSQLD", f"{nothing_installed}/none")
    with pytest.raises(ServerError, match=f"no server program at {nothing_installed}/none"):
        find_program()
    assert find_program(mysql_program).path == Path(mysql_program)


def test_a_relative_path_is_one_from_here(
    mysql_program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = Path(mysql_program)
    monkeypatch.chdir(program.parent)
    assert find_program(f"./{program.name}").path == program


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("\x7fELF of another machine", "cannot be run: Exec format error; name another"),
        ("#!/nowhere/sh", "cannot be run: No such file or directory; name another"),
        (
            "#!/bin/sh\necho lacks libaio.so.1 >&2; echo more >&2; exit 127",
            f"{NO_SERVER}: lacks libaio.so.1",
        ),
        ("#!/bin/sh\n", NO_SERVER),
        ("#!/bin/sh\nprintf '\\377'", NO_SERVER),
    ],
    ids=["of another machine", "no interpreter", "complains", "silent", "not text"],
)
def test_one_that_does_not_run_is_one_line_that_says_why(
    tmp_path: Path, text: str, line: str
) -> None:
    program = executable(tmp_path / "mysqld", text)
    with pytest.raises(ServerError) as error:
        find_program(str(program))
    assert str(error.value) == f"{program} {line}"


def test_one_that_hangs_is_not_awaited_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("throwaway_mysql.program.ANSWERS_WITHIN", 0.1)
    program = executable(tmp_path / "mysqld", "#!/bin/sh\nexec sleep 600\n")
    with pytest.raises(ServerError, match="does not say within 0 s what it is: name another"):
        find_program(str(program))


def test_one_that_reads_its_input_waits_for_no_one(tmp_path: Path) -> None:
    program = executable(tmp_path / "mysqld", "#!/bin/sh\ncat\n")
    find = "import sys; from throwaway_mysql import program; program.find_program(sys.argv[1])"
    argv = [sys.executable, "-c", find, str(program)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as finder:
        try:
            assert finder.wait(WITHIN) == 1
        finally:
            finder.kill()


def test_a_script_that_runs_another_program_is_asked_again(
    mysql_program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = executable(tmp_path / "other", "#!/bin/sh\necho other Ver 99.1\n")
    script = executable(tmp_path / "script", '#!/bin/sh\nexec "$REAL" "$@"\n')
    monkeypatch.setenv("REAL", mysql_program)
    assert find_program(str(script)).version == find_program(mysql_program).version
    monkeypatch.setenv("REAL", str(other))
    assert find_program(str(script)).version == (99, 1)
