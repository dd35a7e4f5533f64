"""The server program: named, found, or one line that says how to get one."""

from pathlib import Path

import pytest

from throwaway_mysql.errors import ServerError
from throwaway_mysql.program import find_program

NO_SERVER = "is not a MySQL or MariaDB server program that runs here"


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Hide installed servers; return the only folder that is searched besides PATH."""
    monkeypatch.delenv("THROWAWAY_MYSQLD", raising=False)
    monkeypatch.setenv("PATH", "/nowhere/bin")
    monkeypatch.setattr("throwaway_mysql.program.FOLDERS", [str(tmp_path)])
    return tmp_path


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
    program = Path(mysql_program)
    monkeypatch.setenv("THROWAWAY_MYSQLD", mysql_program)
    assert find_program().path == program
    monkeypatch.setenv("THROWAWAY_MYSQLD", f"{nothing_installed}/none")
    with pytest.raises(ServerError, match=f"no server program at {nothing_installed}/none"):
        find_program()
    monkeypatch.chdir(program.parent)
    for path in (mysql_program, f"./{program.name}"):
        assert find_program(path).path == program


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
    program = tmp_path / "mysqld"
    program.write_text(text)
    program.chmod(0o755)
    with pytest.raises(ServerError) as error:
        find_program(str(program))
    assert str(error.value) == f"{program} {line}"
