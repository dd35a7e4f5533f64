"""The settings: read from `.quartenv` and the environment, and refused by name."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from testing import PROGRAMS, PROJECT

GOOD = {
    "SECRET_KEY": "k",
    "DB_HOST": "127.0.0.1",
    "DB_USERNAME": "u",
    "DATABASE_NAME": "d",
}


def read(tmp_path: Path, show: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Import a copy of settings.py, which has no `.quartenv` beside it, and print `show`."""
    shutil.copy(PROJECT / "settings.py", tmp_path)
    return subprocess.run(
        [sys.executable, "-c", f"import settings; print({show})"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_defaults(tmp_path: Path) -> None:
    said = read(tmp_path, "settings.DB_PORT, settings.DB_WAIT, settings.QUART_ENV", **GOOD)
    assert said.stdout == "3306 30 production\n", said.stderr


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / ".quartenv").write_text("DB_HOST=from-file\nDB_PORT=3316\n")
    said = read(tmp_path, "settings.DB_HOST, settings.DB_PORT", **GOOD)
    assert said.stdout == "127.0.0.1 3316\n", said.stderr


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
        ({"QUART_ENV": "dev"}, "QUART_ENV is 'dev': it must be one of production, development"),
    ],
)
def test_a_bad_value_is_one_line_that_names_the_variable(
    tmp_path: Path, change: dict[str, str | None], line: str
) -> None:
    environ = {name: value for name, value in (GOOD | change).items() if value is not None}
    said = read(tmp_path, "", **environ)
    assert said.returncode == 1
    assert said.stderr.startswith(line)
    assert said.stderr.count("\n") == 1


def test_all_bad_values_are_told_at_once(tmp_path: Path) -> None:
    said = read(tmp_path, "", DB_PORT="x", DB_PASSWORD="never-shown")  # noqa: S106
    names = [line.split(" ")[0] for line in said.stderr.splitlines()]
    assert names == ["SECRET_KEY", "DB_HOST", "DB_PORT", "DB_USERNAME", "DATABASE_NAME"]
    assert "never-shown" not in said.stderr


def test_every_program_shows_that_line_and_no_traceback(server_environ: dict[str, str]) -> None:
    for argv in ("quart run", "alembic current", "uvicorn manage:app", "hypercorn manage:app"):
        said = subprocess.run(
            [PROGRAMS / argv.split()[0], *argv.split()[1:]],
            cwd=PROJECT,
            env={**server_environ, "DB_PORT": "abc"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert said.stderr == "DB_PORT is 'abc': it must be a whole number from 1 to 65535\n", argv
