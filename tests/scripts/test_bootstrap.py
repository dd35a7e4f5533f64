"""What script/bootstrap takes for a server program."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.project import Environ


@pytest.fixture
def bare(checkout: Path) -> Path:
    """Return a checkout that finds no server program."""
    (checkout / "harness/throwaway_mysql/program.py").write_text("raise SystemExit(1)")
    return checkout


def bootstrap(checkout: Path, **environ: str) -> str:
    """Return what script/bootstrap says where neither MYSQLD is set nor anything installed."""
    brew = checkout / "bin/brew"
    brew.parent.mkdir()
    brew.write_text("#!/bin/sh\nexit 1\n")
    brew.chmod(0o755)
    inherited = {name: os.environ[name] for name in os.environ if name != "MYSQLD"}
    path = {"PATH": f"{brew.parent}:{os.environ['PATH']}"}
    return subprocess.run(
        [checkout / "script/bootstrap"],
        env=Environ(inherited | path | environ),
        capture_output=True,
        text=True,
        check=True,
    ).stderr


@pytest.mark.usefixtures("mysql_program")
def test_where_all_is_there_it_says_nothing(checkout: Path) -> None:
    assert bootstrap(checkout) == ""


def test_a_machine_without_a_server_program_is_told_of(bare: Path) -> None:
    assert bootstrap(bare).startswith("No MySQL or MariaDB server program: install one")


def test_a_program_that_the_environment_names_is_enough(bare: Path) -> None:
    assert bootstrap(bare, MYSQLD="/opt/mysqld") == ""


@pytest.mark.parametrize("name", [".env", ".quartenv"])
def test_a_program_that_a_settings_file_names_is_enough(bare: Path, name: str) -> None:
    with (bare / name).open("a") as file:
        file.write("\nMYSQLD=/opt/mysqld\n")
    assert bootstrap(bare) == ""
