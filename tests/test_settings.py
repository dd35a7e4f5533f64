"""The settings: read from the environment and two files, by each command, and refused by name."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.project import PROGRAMS, PROJECT

GOOD = {
    "SECRET_KEY": "k",
    "DB_HOST": "127.0.0.1",
    "DB_USERNAME": "u",
    "DATABASE_NAME": "d",
}


def read(tmp_path: Path, show: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Import a copy of settings.py, with no file beside it but the test's, and print `show`."""
    for module in ("settings.py", "dotfiles.py"):
        shutil.copy(PROJECT / module, tmp_path)
    return subprocess.run(
        [sys.executable, "-c", f"import settings; print({show})"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_defaults(tmp_path: Path) -> None:
    result = read(tmp_path, "settings.DB_PORT, settings.DB_WAIT, settings.QUART_ENV", **GOOD)
    assert result.stdout == "3306 30 production\n", result.stderr


@pytest.mark.parametrize(
    ("host", "ca", "tls"),
    [
        ("127.0.0.2", "", "off"),
        ("::1", "", "off"),
        ("localhost", "", "off"),
        ("localhost", "ca.pem", "verified"),
        ("db", "", "verified"),
        ("192.0.2.1", "", "verified"),
        ("localhost.example", "", "verified"),
    ],
)
def test_off_this_machine_tls_is_verified(tmp_path: Path, host: str, ca: str, tls: str) -> None:
    result = read(tmp_path, "settings.DB_TLS", **GOOD | {"DB_HOST": host, "DB_TLS_CA": ca})
    assert result.stdout == f"{tls}\n", result.stderr


def test_the_environment_wins_over_env_and_that_over_quartenv(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DB_HOST=from-env\nDB_PORT=3317\n")
    (tmp_path / ".quartenv").write_text("DB_HOST=from-quartenv\nDB_PORT=3316\nDB_WAIT=7\n")
    result = read(tmp_path, "settings.DB_HOST, settings.DB_PORT, settings.DB_WAIT", **GOOD)
    assert result.stdout == "127.0.0.1 3317 7\n", result.stderr


@pytest.mark.parametrize(
    ("written", "password"),
    [
        ("DB_PASSWORD=#a'b$c%d", "#a'b$c%d"),
        ("export DB_PASSWORD='a # b'  # why", "a # b"),
        ("DB_PASSWORD='${SECRET_KEY}${NO_SUCH:-}'", "k"),
        ("DB_PASSWORD='a${:-${}b}$'", "a${b}$"),
        ('DB_PASSWORD="${:-${}☃\\n"', "${☃\n"),
    ],
)
def test_a_value_may_have_any_sign(tmp_path: Path, written: str, password: str) -> None:
    (tmp_path / ".env").write_text(f"\ufeff{written}\r\nDB_WAIT=7\r\n")
    result = read(tmp_path, "(settings.DB_PASSWORD, settings.DB_WAIT)", **GOOD)
    assert result.stdout == f"{(password, 7)}\n", result.stderr


@pytest.mark.parametrize(
    ("written", "line"),
    [
        (b"DB_PASSWORD=never-\xfcshown", "DB_PASSWORD in .env, line 2, has bytes that are not"),
        (b"# \xfc", "A line in .env, line 2, has bytes that are not UTF-8: save the file as"),
        (b"\n \n'n\xfc", "A line in .env, line 4, has bytes that are not UTF-8: save the file"),
        (b"DB_PASSWORD=never-\0shown", "DB_PASSWORD in .env, line 2, has a NUL"),
        (b"DB_PASSWORD='never-shown", "DB_PASSWORD in .env, line 2, must be NAME=value, where a"),
        (b'export DB_PASSWORD="never-shown', "DB_PASSWORD in .env, line 2, must be NAME=value"),
        (b"\n\nDB_PASSWORD='never'-shown", "DB_PASSWORD in .env, line 4, must be NAME=value"),
        (b"DB_PASSWORD never-shown", "A line in .env, line 2, must be NAME=value"),
        (b"DB_PASSWORD", "DB_PASSWORD in .env, line 2, must be NAME=value"),
        (b"DB_PASSWORD='never-${shown}'", "DB_PASSWORD in .env, line 2, has a ${NAME} that is no"),
    ],
)
def test_a_line_that_cannot_be_meant_is_named(tmp_path: Path, written: bytes, line: str) -> None:
    (tmp_path / ".env").write_bytes(b"DB_WAIT=7\n" + written + b"\n")
    result = read(tmp_path, "", **GOOD)
    assert result.returncode == 1
    assert result.stderr.startswith(line)
    assert result.stderr.count("\n") == 1
    assert "never" not in result.stderr
    assert "shown" not in result.stderr


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"SECRET_KEY": None}, "SECRET_KEY is not set: give it a value in the environment or"),
        ({"DATABASE_NAME": ""}, "DATABASE_NAME is empty: give it a value"),
        ({"DB_PORT": "abc"}, "DB_PORT is 'abc': it must be a whole number from 1 to 65535"),
        ({"DB_PORT": "0"}, "DB_PORT is '0': it must be a whole number from 1 to 65535"),
        ({"DB_PORT": "65536"}, "DB_PORT is '65536': it must be a whole number"),
        ({"DB_PORT": "²"}, "DB_PORT is '²': it must be a whole number"),
        ({"DB_WAIT": "-1"}, "DB_WAIT is '-1': it must be a whole number from 0 to 3600"),
        ({"HIT_TIMEOUT": "0"}, "HIT_TIMEOUT is '0': it must be a whole number from 1 to 3600"),
        ({"DB_PASSWORD": "p\udcff"}, "DB_PASSWORD has bytes that are not UTF-8: it must be"),
        ({"DB_TLS": "on"}, "DB_TLS is 'on': it must be one of off, verified, preferred"),
        *(
            ({"DB_TLS": mode, "DB_TLS_CA": "ca.pem"}, f"DB_TLS is '{mode}', which verifies nothing")
            for mode in ("off", "preferred")
        ),
        ({"QUART_ENV": "dev"}, "QUART_ENV is 'dev': it must be one of production, development"),
    ],
)
def test_a_bad_value_is_one_line_that_names_the_variable(
    tmp_path: Path, change: dict[str, str | None], line: str
) -> None:
    environ = {name: value for name, value in (GOOD | change).items() if value is not None}
    result = read(tmp_path, "", **environ)
    assert result.returncode == 1
    assert result.stderr.startswith(line)
    assert result.stderr.count("\n") == 1


def test_all_bad_values_are_told_at_once(tmp_path: Path) -> None:
    result = read(tmp_path, "", DB_PORT="x", DB_PASSWORD="never-shown")  # noqa: S106
    names = [line.split(" ")[0] for line in result.stderr.splitlines()]
    assert names == ["SECRET_KEY", "DB_HOST", "DB_PORT", "DB_USERNAME", "DATABASE_NAME"]
    assert "never-shown" not in result.stderr


COMMANDS = ["quart run", "alembic current", "uvicorn manage:app", "script/server"]
OTHERS = ["quart mysql status", "pytest", "hypercorn manage:app"]


def run(command: str, folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the project with no more in its environment than that."""
    path = os.pathsep.join([str(folder), str(PROGRAMS), os.environ["PATH"]])
    return subprocess.run(
        command.split(),
        cwd=folder,
        env={"PATH": path, "HOME": os.environ["HOME"], **environ},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "command", [*COMMANDS, *(pytest.param(other, marks=pytest.mark.slow) for other in OTHERS)]
)
def test_each_command_has_the_projects_settings(checkout: Path, command: str) -> None:
    """It shows the one line of a bad value, so that nothing has to be served."""
    (checkout / ".env").write_text("DB_PORT=abc\n")
    (checkout.parent / ".env").write_text("DB_TIMEOUT=def\n")  # nobody is to have it
    result = run(command, checkout)
    line = "DB_PORT is 'abc': it must be a whole number from 1 to 65535"
    assert result.stderr.strip().endswith(line)
    assert "DB_TIMEOUT" not in result.stderr
    assert "Traceback" not in result.stdout + result.stderr


def test_a_file_of_another_folder_which_only_quart_reads_is_refused(checkout: Path) -> None:
    (checkout.parent / ".env").write_text("DB_TIMEOUT=def\n")
    result = run("quart run", checkout)
    line = f"DB_TIMEOUT is from {checkout.parent}/.env, which only quart reads: make"
    assert line in result.stderr


def test_script_server_has_no_traceback_for_a_byte_that_quart_cannot_read(checkout: Path) -> None:
    (checkout / ".env").write_bytes(b"DB_PASSWORD=\xfc\n")
    line = "DB_PASSWORD in .env, line 1, has bytes that are not UTF-8: save the file as UTF-8\n"
    assert run("script/server", checkout).stderr == line


def test_a_file_for_quart_alone_is_refused_where_it_would_lose(project_copy: Path) -> None:
    (project_copy / "other").write_text("DB_PORT=abc\n")
    line = "DB_PORT is 'abc': it must be a whole number from 1 to 65535\n"
    command = "quart --app manage.py --env-file other mysql status"
    assert run(command, project_copy, QUART_SKIP_DOTENV="1").stderr == line
    assert run("uvicorn --env-file other manage:app", project_copy).stderr.endswith(line)
    assert run(command, project_copy).stderr.startswith("quart -e reads its file last, so ")
