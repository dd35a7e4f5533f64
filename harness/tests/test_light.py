"""What this package costs every pytest run in its environment, even without databases."""

import subprocess
import sys

import pytest

import throwaway_mysql
from throwaway_mysql.login import Login


def test_a_run_without_databases_loads_little() -> None:
    code = "import sys, throwaway_mysql.plugin; print(*sys.modules)"
    argv = [sys.executable, "-c", code]
    loaded = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
    ours = {name for name in loaded if name.startswith("throwaway_mysql.")}
    assert ours == {f"throwaway_mysql.{name}" for name in ("plugin", "state", "errors")}
    assert not {"pymysql", "sqlalchemy", "alembic"} & set(loaded)


def test_the_public_names_are_at_the_top() -> None:
    assert throwaway_mysql.Login is Login
    assert all(getattr(throwaway_mysql, name) for name in throwaway_mysql.__all__)
    line = r"^module 'throwaway_mysql' has no attribute 'Lohin'$"
    with pytest.raises(AttributeError, match=line):
        throwaway_mysql.Lohin  # noqa: B018
