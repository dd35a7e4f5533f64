"""`quart mysql` where it cannot do what it is asked: one line that says why, without a password."""

import os
import socket
import subprocess
import sys

import pytest

from tests.support.project import MysqlCommand, account_settings, only_line
from throwaway_mysql.login import Login


def test_a_port_taken_by_something_else_is_one_line(startable: MysqlCommand) -> None:
    with socket.create_server(("127.0.0.1", int(startable.environ["DB_PORT"]))):
        line = only_line(startable.mysql("start"))
    assert "taken by something that is not a MySQL server: stop it, or set another DB_PORT" in line


def test_a_refused_password_is_one_line(project: MysqlCommand, mysql_server: Login) -> None:
    port = str(mysql_server.port)
    for command in ("start", "setup"):
        line = only_line(project.mysql(command, DB_HOST=mysql_server.host, DB_PORT=port))
        assert "refuse" in line
        assert port in line


@pytest.mark.parametrize("made_by", ["MariaDB 99.1.2", "MySQL 99.1.2"])
def test_data_of_another_version_is_one_line(startable: MysqlCommand, made_by: str) -> None:
    data = startable.folder / ".mysql/data"
    data.mkdir(parents=True)
    (data / "made-by").write_text(made_by)
    line = only_line(startable.mysql("start"))
    assert f"was made by {made_by}" in line
    assert "set MYSQLD" in line


def test_no_server_program_is_one_line(project: MysqlCommand) -> None:
    line = only_line(project.mysql("start", MYSQLD="/nowhere/mysqld"))
    assert "no server program at /nowhere/mysqld: install one" in line


def test_a_program_of_another_kind_is_one_line(project: MysqlCommand) -> None:
    line = only_line(project.mysql("start", MYSQLD=sys.executable))
    assert "is not a MySQL or MariaDB server program" in line


def test_a_database_elsewhere_is_not_started_here(project: MysqlCommand) -> None:
    line = only_line(project.mysql("start", DB_HOST="127.0.0.2"))
    assert "DB_HOST is not this machine" in line


def test_damaged_notes_are_one_line(startable: MysqlCommand) -> None:
    startable.mysql("start")
    made_by, pid = (startable.folder / ".mysql/data" / name for name in ("made-by", "mysqld.pid"))
    saved = pid.read_text()
    pid.write_text("")
    assert "has no process id" in only_line(startable.mysql("stop"))
    pid.write_text(saved)
    made_by.rename(startable.folder / "made-by")
    assert only_line(startable.mysql("status")).startswith(f"cannot use {made_by}: No")
    startable.mysql("stop")
    made_by.write_text("")
    assert "does not name a version" in only_line(startable.mysql("start"))


def test_what_a_server_refuses_to_set_up_is_one_line(
    project: MysqlCommand, mysql_server: Login
) -> None:
    if mysql_server.user != "root":
        pytest.skip("the tests' account is not root")
    project.environ.update(account_settings(mysql_server), DB_USERNAME="u", DATABASE_NAME="d" * 70)
    done = project.mysql("setup")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert "refused to set up" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a small disk")
@pytest.mark.parametrize("megabytes", [1, 24])
def test_a_full_disk_is_one_line(startable: MysqlCommand, megabytes: int) -> None:
    folder = startable.folder / ".mysql"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("nothing can be mounted here")
    try:
        line = only_line(startable.mysql("start"))
        assert "the disk is full: make room" in line
    finally:
        subprocess.run(["umount", "-l", folder], check=True)  # noqa: S607
