"""What every pytest run of an environment with this package pays for, with or without databases."""

import subprocess
import sys

import pytest

import throwaway_mysql
from throwaway_mysql.login import Login


@pytest.mark.parametrize("module", ["plugin", "schemas.schema", "login"])
def test_the_driver_is_not_loaded_before_a_server_is_asked(module: str) -> None:
    code = f"import sys, throwaway_mysql.{module} as _; print('pymysql' in sys.modules)"
    assert _said(code) == "False"


def test_what_a_project_imports_is_at_the_top() -> None:
    assert throwaway_mysql.Login is Login
    assert all(getattr(throwaway_mysql, name) for name in throwaway_mysql.__all__)
    with pytest.raises(
        AttributeError, match=r"^module 'throwaway_mysql' has no attribute 'Lohin'$"
    ):
        throwaway_mysql.Lohin  # noqa: B018
    assert (
        _said("import sys, throwaway_mysql; print('throwaway_mysql.login' in sys.modules)")
        == "False"
    )


def test_a_run_without_databases_loads_little_of_the_package() -> None:
    app_fixtures = "throwaway_mysql.plugin.app_fixtures"  # which the plugin names
    loaded = _said(f"import sys, {app_fixtures}; print(*sys.modules)").split()
    beside = {"throwaway_mysql.databases", "throwaway_mysql.databases.journal"}
    ours = {name for name in loaded if name.startswith("throwaway_mysql.")} - beside
    assert all(name.startswith("throwaway_mysql.plugin") for name in ours), ours


def _said(code: str) -> str:
    argv = [sys.executable, "-c", code]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()
