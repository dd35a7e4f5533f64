"""Which server programs script/bootstrap accepts."""

import os
from pathlib import Path

import pytest

from tests.support.project import Environ, run


@pytest.mark.parametrize(
    ("file", "environ", "told"),
    [
        ("", {}, "No MySQL or MariaDB server program: install one"),
        ("", {"MYSQLD": "/opt/mysqld"}, ""),
        (".env", {}, ""),
        (".quartenv", {}, ""),
    ],
)
def test_a_server_program_is_found_or_named_or_told_of(
    checkout: Path, file: str, environ: dict[str, str], told: str
) -> None:
    (checkout / "harness/throwaway_mysql/program.py").write_text("raise SystemExit(1)")
    if file:
        with (checkout / file).open("a") as settings:
            settings.write("\nMYSQLD=/opt/mysqld\n")
    brew = checkout / "bin/brew"  # if it fails, nothing is installed
    brew.parent.mkdir()
    brew.write_text("#!/bin/sh\nexit 1\n")
    brew.chmod(0o755)
    inherited = {name: os.environ[name] for name in os.environ if name != "MYSQLD"}
    path = {"PATH": f"{brew.parent}:{os.environ['PATH']}"}
    done = run(Environ(inherited | path | environ), checkout / "script/bootstrap")
    assert done.returncode == 0
    assert done.stderr.startswith(told)
    assert bool(done.stderr) == bool(told)
