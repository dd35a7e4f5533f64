"""The project's fixtures, as its test runs meet them: real runs of pytest, ended in many ways."""

import re
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from throwaway_mysql.login import Login
from throwaway_mysql.servers.port import free_port
from throwaway_mysql.testing.looking import databases

NAME = f"plugin_{secrets.token_hex(4)}"  # of the app's database in these runs
FAILS = """
def test_it(create_db):
    assert create_db["DATABASE_NAME"] == "another"
"""
FAILS_IN_SETUP = """
import pytest

@pytest.fixture(scope="module")
def broken(create_db):
    raise LookupError("set-up")

def test_it(broken):
    pass
"""
HANGS = """
import time

def test_it(create_test_app):
    print("now", flush=True)
    time.sleep(60)
"""
WAITS = """
import os
import db, settings

async def test_it(create_db):
    stranger = {"DB_HOST": "127.0.0.1", "DB_PORT": int(os.environ["STRANGER"])}
    await db.wait({**vars(settings), **create_db, **stranger})
"""
PASSES = """
def test_it(create_db):
    print(create_db["DB_HOST"], create_db["DB_PORT"])
"""
NEEDS_A_PROGRAM = """
def test_it(mysql_program):
    pass
"""

# Ctrl-C ends it also where this run ignores that, as a shell's background does.
PYTEST = """
import signal, sys, pytest
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(pytest.main(sys.argv[1:]))
"""

Pytest = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def run_pytest(project_copy: Path, server_environ: dict[str, str]) -> Pytest:
    """Return a function that starts pytest on a module with this project's fixtures."""

    def run(module: str, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        (project_copy / "test_it.py").write_text(module)
        return subprocess.Popen(
            [sys.executable, "-c", PYTEST, "-s", *arguments],
            cwd=project_copy,
            env=server_environ | {"DATABASE_NAME": NAME} | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return run


def leftovers(login: Login) -> set[str]:
    """Return the databases that runs of these tests left."""
    return {name for name in databases(login) if name.startswith(f"{NAME}_test_")}


@pytest.mark.parametrize("module", [FAILS, FAILS_IN_SETUP], ids=["failure", "error in set-up"])
def test_the_database_is_dropped_after_a(
    run_pytest: Pytest, mysql_root: Login, module: str
) -> None:
    output, _ = run_pytest(module).communicate()
    assert "Creating db" in output
    assert "Destroying db" in output
    assert leftovers(mysql_root) == set()


def test_the_database_is_dropped_after_ctrl_c(run_pytest: Pytest, mysql_root: Login) -> None:
    with run_pytest(HANGS) as run:
        assert run.stdout
        for line in run.stdout:
            if line.endswith("now\n"):
                break
        assert len(leftovers(mysql_root)) == 1
        run.send_signal(signal.SIGINT)
        output = run.stdout.read()
    assert "KeyboardInterrupt" in output
    assert "Destroying db" in output
    assert leftovers(mysql_root) == set()


def test_the_database_is_dropped_after_ctrl_c_while_waiting_for_another(
    run_pytest: Pytest, mysql_root: Login
) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as stranger,
        run_pytest(WAITS, STRANGER=str(stranger.getsockname()[1])) as run,
    ):
        held, _ = stranger.accept()
        run.send_signal(signal.SIGINT)
        output, _ = run.communicate()
        held.close()
    assert "KeyboardInterrupt" in output
    assert leftovers(mysql_root) == set()


def test_a_failed_migration_leaves_no_database(run_pytest: Pytest, mysql_root: Login) -> None:
    module = f"""
import pytest
from throwaway_mysql import CallableSchema

def fail(login, database):
    raise LookupError("half-way")

@pytest.fixture(scope="session")
def mysql_schema():
    return CallableSchema(fail)

{PASSES}"""
    output, _ = run_pytest(module).communicate()
    assert "1 error" in output, output
    assert leftovers(mysql_root) == set()


def test_a_failures_report_shows_no_password(run_pytest: Pytest, mysql_root: Login) -> None:
    output, _ = run_pytest(FAILS, "--showlocals").communicate()
    assert "1 failed" in output
    assert mysql_root.password[:16] not in output


@pytest.mark.usefixtures("mysql_program")
def test_without_a_server_one_is_started_for_the_run(run_pytest: Pytest) -> None:
    port = str(free_port())
    output, _ = run_pytest(PASSES, DB_HOST="localhost", DB_PORT=port).communicate()
    assert "1 passed" in output, output
    assert f"127.0.0.1 {port}\n" not in output
    assert re.search(r"^127\.0\.0\.1 \d+$", output, re.M), output


def test_a_server_for_the_run_is_of_the_program_that_the_project_names(
    run_pytest: Pytest, mysql_program: str
) -> None:
    nothing = {"DB_HOST": "localhost", "DB_PORT": str(free_port()), "MYSQLD": "/nowhere/mysqld"}
    output, _ = run_pytest(PASSES, **nothing).communicate()
    assert "there is no server program at /nowhere/mysqld" in output
    output, _ = run_pytest(PASSES, f"--mysqld={mysql_program}", **nothing).communicate()
    assert "1 passed" in output, output


def test_a_test_of_servers_takes_the_program_that_the_project_names(run_pytest: Pytest) -> None:
    output, _ = run_pytest(NEEDS_A_PROGRAM, "-rs", MYSQLD="/nowhere/mysqld").communicate()
    assert "1 skipped" in output, output
    assert "there is no server program at /nowhere/mysqld" in output


def test_a_server_that_answers_needs_no_program(run_pytest: Pytest) -> None:
    output, _ = run_pytest(PASSES, MYSQLD="/nowhere/mysqld").communicate()
    assert "1 passed" in output, output


def test_a_refusing_server_is_one_clear_error_and_no_reason_to_start_another(
    run_pytest: Pytest,
) -> None:
    output, _ = run_pytest(
        PASSES, **dict.fromkeys(["MYSQL_ROOT_PASSWORD", "DB_PASSWORD"], "wrong")
    ).communicate()
    assert "1 error" in output
    assert "refused" in output
    assert "Access denied" in output
    for word in ("Traceback", "throwaway_mysql/"):
        assert word not in output


def test_runs_side_by_side_do_not_meet(run_pytest: Pytest, mysql_root: Login) -> None:
    runs = [run_pytest(PASSES) for _ in range(3)]
    output = [run.communicate()[0] for run in runs]
    assert ["1 passed" in text for text in output] == [True] * 3, output
    assert leftovers(mysql_root) == set()
