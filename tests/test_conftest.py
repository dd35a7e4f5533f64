"""The project's own fixtures, in real runs of pytest: wired to its settings, clean at the end."""

import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.project import Environ
from tests.support.serving import free_port
from throwaway_mysql import Login

NAME = f"conftest_{secrets.token_hex(4)}"  # of the app's database in these runs
FAILS = """
async def test_it(create_test_app, create_test_client):
    assert create_test_app.config["DATABASE_NAME"] == "another"
"""
PASSES = """
def test_it(create_db):
    pass
"""

Pytest = Callable[..., str]


@pytest.fixture
def run_pytest(project_copy: Path, server_environ: Environ) -> Pytest:
    """Return a function that runs pytest on a module with this project's fixtures."""

    def run(module: str, *arguments: str, **environ: str) -> str:
        (project_copy / "test_it.py").write_text(module)
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-s", *arguments],
            cwd=project_copy,
            env=server_environ | {"DATABASE_NAME": NAME} | environ,
            capture_output=True,
            text=True,
            check=False,
        ).stdout

    return run


def test_after_a_failure_no_database_and_no_password_is_left(
    run_pytest: Pytest, mysql_root: Login
) -> None:
    output = run_pytest(FAILS, "--showlocals")
    assert f"+ {NAME}_test_" in output, output
    assert "Destroying db" in output
    assert mysql_root.password[:16] not in output
    with mysql_root.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SHOW DATABASES LIKE %s", (f"{NAME}%",))
        assert cursor.fetchall() == ()


def test_a_private_server_is_of_the_program_that_the_settings_name(
    run_pytest: Pytest, mysql_program: str
) -> None:
    nothing = {"DB_HOST": "localhost", "DB_PORT": str(free_port())}
    output = run_pytest(PASSES, **nothing, MYSQLD="/nowhere/mysqld")
    assert "there is no server program at /nowhere/mysqld" in output
    assert "1 passed" in run_pytest(PASSES, **nothing, MYSQLD=mysql_program)


def test_a_refused_password_is_one_clear_error(run_pytest: Pytest) -> None:
    wrong = dict.fromkeys(["MYSQL_ROOT_PASSWORD", "DB_PASSWORD"], "wrong")
    output = run_pytest(PASSES, **wrong)
    assert "Access denied" in output, output
    for word in ("Traceback", "throwaway_mysql/"):
        assert word not in output
