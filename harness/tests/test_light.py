"""What every pytest run of an environment with this package pays for, with or without databases."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["plugin", "schema", "login"])
def test_the_driver_is_not_loaded_before_a_server_is_asked(module: str) -> None:
    code = f"import sys, throwaway_mysql.{module} as _; print('pymysql' in sys.modules)"
    assert _said(code) == "False"


def test_a_run_without_databases_loads_little_of_the_package() -> None:
    code = "import sys, throwaway_mysql.plugin, throwaway_mysql.app_fixtures; print(*sys.modules)"
    loaded = [name for name in _said(code).split() if name.startswith("throwaway_mysql.")]
    little = (
        "app_fixtures engines fixtures isolation journal loops plugin report server_fixtures timing"
    )
    assert sorted(loaded) == [f"throwaway_mysql.{name}" for name in little.split()]


def _said(code: str) -> str:
    argv = [sys.executable, "-c", code]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()
