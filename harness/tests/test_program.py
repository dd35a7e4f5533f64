"""The server program: named, or found, or one message that tells how to get one."""

from pathlib import Path

import pytest

from throwaway_mysql import ServerError
from throwaway_mysql.servers.program import find_program


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Hide what is installed; return the one folder that is searched besides PATH."""
    monkeypatch.delenv("THROWAWAY_MYSQLD", raising=False)
    monkeypatch.setenv("PATH", "/nowhere/bin")
    monkeypatch.setattr("throwaway_mysql.servers.program.FOLDERS", [str(tmp_path)])
    return tmp_path


def test_without_one_the_error_lists_what_was_tried_and_how_to_get_one(
    nothing_installed: Path,
) -> None:
    with pytest.raises(ServerError) as error:
        find_program()
    line = str(error.value)
    assert "\n" not in line
    for word in ("mariadbd", "mysqld", str(nothing_installed), "mariadb-server-core"):
        assert word in line
    assert "THROWAWAY_MYSQLD" in line


def test_the_environment_names_one(
    nothing_installed: Path, mysql_program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THROWAWAY_MYSQLD", mysql_program)
    assert find_program().path == Path(mysql_program)
    monkeypatch.setenv("THROWAWAY_MYSQLD", f"{nothing_installed}/none")
    with pytest.raises(ServerError, match=f"no server program at {nothing_installed}/none"):
        find_program()


def test_a_name_given_goes_before_the_environment(
    mysql_program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THROWAWAY_MYSQLD", "/nowhere")
    assert find_program(mysql_program).path == Path(mysql_program)


def test_a_relative_path_is_one_from_here(
    mysql_program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = Path(mysql_program)
    monkeypatch.chdir(program.parent)
    assert find_program(f"./{program.name}").path == program


def test_a_script_that_runs_another_program_is_asked_again(
    mysql_program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.write_text("#!/bin/sh\necho other Ver 99.1\n")
    script = tmp_path / "script"
    script.write_text('#!/bin/sh\nexec "$REAL" "$@"\n')
    for program in (other, script):
        program.chmod(0o755)
    monkeypatch.setenv("REAL", mysql_program)
    first = find_program(str(script))
    assert first.version == find_program(mysql_program).version
    monkeypatch.setenv("REAL", str(other))
    assert find_program(str(script)).version == (99, 1)
