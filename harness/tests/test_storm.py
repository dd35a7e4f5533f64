"""Runs killed at random moments; run storm.py itself for a longer storm."""

import subprocess
import sys
from pathlib import Path

import pytest

STORM = Path(__file__).with_name("storm.py")


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("server", ["configured", "private"])
def test_nothing_is_left_and_nothing_else_touched(mysql_program: str, server: str) -> None:
    argv = [sys.executable, str(STORM), "--runs=25", f"--server={server}"]
    done = subprocess.run(
        [*argv, f"--mysqld={mysql_program}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
