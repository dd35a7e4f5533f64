"""The settings: every command reads them from the environment and two files, or names bad ones."""

import os
import re
import runpy
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support import project
from tests.support.project import PROGRAMS, PROJECT

GOOD = {
    "SECRET_KEY": "k",
    "DB_HOST": "127.0.0.1",
    "DB_USERNAME": "u",
    "DATABASE_NAME": "d",
}

Read = Callable[[dict[str, str]], dict[str, Any]]


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Return a function that reads the settings, with only the test's files beside them."""
    module = shutil.copy(PROJECT / "settings.py", tmp_path)

    def read(environ: dict[str, str]) -> dict[str, Any]:
        with monkeypatch.context() as patch:
            patch.setattr(os, "environ", {**environ})
            return runpy.run_path(str(module))

    return read


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
def test_off_this_machine_tls_is_verified(read: Read, host: str, ca: str, tls: str) -> None:
    assert read(GOOD | {"DB_HOST": host, "DB_TLS_CA": ca})["DB_TLS"] == tls


def test_the_environment_wins_over_env_and_that_over_quartenv(tmp_path: Path, read: Read) -> None:
    (tmp_path / ".env").write_text("DB_HOST=from-env\nDB_PORT=3317\n")
    (tmp_path / ".quartenv").write_text("DB_HOST=from-quartenv\nDB_PORT=3316\nDB_WAIT=7\n")
    found = read(GOOD)
    assert (found["DB_HOST"], found["DB_PORT"], found["DB_WAIT"]) == ("127.0.0.1", 3317, 7)


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
def test_a_value_may_have_any_sign(tmp_path: Path, read: Read, written: str, password: str) -> None:
    (tmp_path / ".env").write_text(f"\ufeff{written}\r\nDB_WAIT=7\r\n")
    found = read(GOOD)
    assert (found["DB_PASSWORD"], found["DB_WAIT"]) == (password, 7)


@pytest.mark.parametrize(
    ("written", "line"),
    [
        (b"DB_PASSWORD=never-\xfcshown", "DB_PASSWORD in .env, line 2, has bytes that are not"),
        (b"\n \n'n\xfc", "A line in .env, line 4, has bytes that are not UTF-8: save the file"),
        (b"DB_PASSWORD=never-\0shown", "DB_PASSWORD in .env, line 2, has a NUL"),
        (b'export DB_PASSWORD="never-shown', "DB_PASSWORD in .env, line 2, must be NAME=value"),
        (b"\n\nDB_PASSWORD='never'-shown", "DB_PASSWORD in .env, line 4, must be NAME=value"),
        (b"DB_PASSWORD never-shown", "A line in .env, line 2, must be NAME=value"),
        (b"DB_PASSWORD", "DB_PASSWORD in .env, line 2, must be NAME=value"),
        (b"DB_PASSWORD='never-${shown}'", "DB_PASSWORD in .env, line 2, has a ${NAME} that is no"),
        (b"DB_PORT=abc", "DB_PORT is 'abc': it must be a whole number from 1 to 65535"),
        (b"DB_PORT=0", "DB_PORT is '0': it must be a whole number from 1 to 65535"),
        (b"DB_PORT=65536", "DB_PORT is '65536': it must be a whole number"),
        ("DB_PORT=²".encode(), "DB_PORT is '²': it must be a whole number"),
        (b"DB_POOL_SIZE=-1", "DB_POOL_SIZE is '-1': it must be a whole number from 1 to 1000"),
        (b"DB_TLS=on", "DB_TLS is 'on': it must be one of off, verified, preferred"),
        (b"DB_TLS=preferred\nDB_TLS_CA=ca", "DB_TLS is 'preferred', which verifies nothing"),
    ],
)
def test_what_cannot_be_meant_is_one_line_that_names_it(
    tmp_path: Path, read: Read, written: bytes, line: str
) -> None:
    (tmp_path / ".env").write_bytes(b"DB_WAIT=7\n" + written + b"\n")
    with pytest.raises(SystemExit) as end:
        read(GOOD)
    told = str(end.value)
    assert told.startswith(line)
    assert "\n" not in told
    assert not {"never", "shown"} & set(re.findall(r"\w+", told))


def test_all_bad_values_are_told_at_once(read: Read) -> None:
    with pytest.raises(SystemExit) as end:
        read({"DB_HOST": "", "DB_PORT": "x", "DB_PASSWORD": "never-shown\udcff"})
    assert re.findall(r"^(\w+) (?:is|has) (.*?):", str(end.value), re.M) == [
        ("SECRET_KEY", "not set"),
        ("DB_HOST", "empty"),
        ("DB_PORT", "'x'"),
        ("DB_USERNAME", "not set"),
        ("DB_PASSWORD", "bytes that are not UTF-8"),
        ("DATABASE_NAME", "not set"),
    ]


COMMANDS = ["quart run", "alembic current", "uvicorn manage:app", "script/server"]
OTHERS = ["quart mysql status", "pytest", "hypercorn manage:app"]


def run(command: str, folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the project with only this environment."""
    path = os.pathsep.join([str(PROGRAMS), os.environ["PATH"]])
    program, *arguments = command.split()
    there = folder / program if "/" in program else program
    own = {"PATH": path, "HOME": os.environ["HOME"], **environ}
    return project.run(own, there, *arguments, cwd=folder)


@pytest.mark.parametrize(
    "command", [*COMMANDS, *(pytest.param(other, marks=pytest.mark.slow) for other in OTHERS)]
)
def test_each_command_has_the_projects_settings(checkout: Path, command: str) -> None:
    """It fails with the line for a bad value, so that nothing has to be served."""
    (checkout / ".env").write_text("DB_PORT=abc\n")
    (checkout.parent / ".env").write_text("DB_TIMEOUT=def\n")  # no command may read it
    result = run(command, checkout)
    line = "DB_PORT is 'abc': it must be a whole number from 1 to 65535"
    assert result.stderr.strip().endswith(line)
    assert "DB_TIMEOUT" not in result.stderr
    assert "Traceback" not in result.stdout + result.stderr


def test_a_file_of_another_folder_which_only_quart_reads_is_refused(checkout: Path) -> None:
    (checkout.parent / ".env").write_text("DB_TIMEOUT=def\n")
    line = f"DB_TIMEOUT is from {checkout.parent}/.env, which only quart reads: make"
    assert line in run("quart run", checkout).stderr


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
