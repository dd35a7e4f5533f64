"""Which server a run's tests have: it is said where one is chosen, and where there is none."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from throwaway_mysql.login import Login
from throwaway_mysql.servers.port import free_port
from throwaway_mysql.servers.program import find_program

RunProject = Callable[..., "subprocess.CompletedProcess[str]"]

USES = """
def test_it(create_db, mysql_server):
    print("folder", getattr(mysql_server, "folder", None))
"""
TWO_ACCOUNTS = """
@pytest.fixture(scope="session")
def mysql_configured():
    return [Login(host, {port}, "root", "") for host in ("127.0.0.1", "127.0.0.1", "localhost")]
"""
OF_PROGRAM = """
@pytest.fixture(scope="session")
def mysqld():
    return "{program}"
"""
NOTHING_INSTALLED = """
from throwaway_mysql.servers import program

os.environ.pop("THROWAWAY_MYSQLD", None)
os.environ["PATH"] = "/nowhere/bin"
program.FOLDERS = ["/nowhere/sbin"]
"""


def test_the_configured_server_is_named_before_its_databases(
    run_project: RunProject, mysql_root: Login
) -> None:
    said = run_project("--db-report", test_it=USES).stdout
    where = f"the server at {mysql_root.address}"
    assert re.search(f"Using {where}, which answered\nCreating db\n", said), said
    assert f"server: {mysql_root.address} answered " in said
    assert mysql_root.password not in said


def test_a_private_server_is_named_with_its_program_and_its_folder(
    run_project: RunProject, mysql_program: str
) -> None:
    said = run_project("--db-report", f"--mysqld={mysql_program}", test_it=USES).stdout
    program = re.escape(str(find_program(mysql_program)))
    how = "(from a template|initialised)"
    [(how, folder)] = re.findall(f"Using {program}, private, {how}, in (\\S+)\nCreating db\n", said)
    assert f"folder {folder}\n" in said
    assert re.search(f"^server: {program} {how} ", said, re.M), said
    assert Path(folder).is_absolute()


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_a_private_one_where_another_is_configured_is_told_once(
    run_project: RunProject, mysql_program: str, workers: tuple[str, ...]
) -> None:
    port = free_port()
    conftest = TWO_ACCOUNTS.format(port=port) + OF_PROGRAM.format(program=mysql_program)
    said = run_project("-q", *workers, conftest=conftest, test_it=USES, test_two=USES).stdout
    line = f"nothing answers at 127.0.0.1:{port} or localhost:{port}: the tests had a private "
    assert f"{line}{find_program(mysql_program)}\n" in said
    assert said.count("nothing answers") == 1
    assert "2 passed" in said


def test_a_private_one_is_not_told_where_none_is_configured(
    run_project: RunProject, mysql_program: str
) -> None:
    said = run_project("-q", f"--mysqld={mysql_program}", test_it=USES).stdout
    assert "1 passed" in said
    assert "nothing answers" not in said


def test_where_there_is_none_one_line_tells_where_it_was_looked_for(
    run_project: RunProject,
) -> None:
    port = free_port()
    conftest = TWO_ACCOUNTS.format(port=port) + NOTHING_INSTALLED
    said = run_project(conftest=conftest, test_it=USES).stdout
    [line] = {line for line in said.splitlines() if "server program" in line}
    told = line.removeprefix("E   ")
    assert told.startswith(
        f"no server answers at 127.0.0.1:{port} or localhost:{port}, and this machine has no MySQL "
        "or MariaDB server program (neither mariadbd nor mysqld is in PATH, /nowhere/sbin): "
    )
    assert "mariadb-server-core" in told
    assert "THROWAWAY_MYSQLD" in told


def test_an_account_that_is_not_tried_is_not_named(run_project: RunProject) -> None:
    conftest = TWO_ACCOUNTS.format(port=1) + NOTHING_INSTALLED
    said = run_project("--mysqld=/nowhere/mysqld", conftest=conftest, test_it=USES).stdout
    assert re.search("^(E +)?there is no server program at /nowhere/mysqld: install", said, re.M)
