"""A private server with kept databases goes on after its run, until someone ends it."""

import os
import re
import signal
from pathlib import Path
from typing import Any

import pymysql
import pytest
from support.processes import wait_until

WRITES = """
def test_it(create_db):
    with create_db.login.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {create_db.name}.t (n INT)")
        cursor.execute(f"INSERT INTO {create_db.name}.t VALUES (42)")
    assert False
"""
PASSES = "def test_it(create_db): pass\n"
KILLED = """
import os, signal

def test_one(create_db):
    pass

def test_two(create_db, mysql_server):
    print("folder", mysql_server.folder, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def end(folder: Path, pid: int) -> None:
    """End a server, and wait until its folder is removed."""
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not folder.exists())


@pytest.mark.parametrize(
    ("options", "tcp"), [((), False), (("-n2",), False), ((), True)], ids=["", "xdist", "port"]
)
def test_only_what_is_kept_outlives_the_run_and_ends_by_the_command_that_it_printed(
    private_project: Any, options: tuple[str, ...], *, tcp: bool
) -> None:
    ini = f"mysql_tcp = {tcp}\n"
    files = {"passes": PASSES, "writes": WRITES}
    result = private_project.spawn("--db-keep=failed", *options, ini=ini, **files)
    output = result.stdout.str()
    ((name, file, pid),) = re.findall(
        r"^kept of .*: mysql://root@[^/]+/(\S+)\?.*\n"
        r" {6}mysql --defaults-file=(\S+) \1\n"
        r" {6}its server goes on until `kill (\d+)`$",
        output,
        re.M,
    )
    assert os.getsid(int(pid)) != os.getsid(0)  # so that closing a terminal does not end it
    assert Path(file).stat().st_mode & 0o777 == 0o600
    assert re.findall("password=(.{16})", Path(file).read_text())[0] not in output
    with pymysql.connect(read_default_file=file) as connection:
        cursor = connection.cursor()
        cursor.execute(f"SELECT n FROM {name}.t")
        assert cursor.fetchall() == ((42,),)
        cursor.execute("SHOW DATABASES LIKE 'throwaway\\_test\\_%'")
        assert cursor.fetchall() == ((name,),)  # and no template
    end(Path(file).parent, int(pid))


@pytest.mark.parametrize("scope", ["test", "module"])
def test_a_run_that_is_killed_leaves_the_server_where_it_had_kept_something(
    private_project: Any, scope: str
) -> None:
    result = private_project.spawn("--db-keep", "-o", f"mysql_database={scope}", it=KILLED)
    assert result.ret == -signal.SIGKILL
    (name,) = re.findall(r"folder (\S+)", result.stdout.str())
    folder = Path(name)
    if scope == "module":  # the database is still in use
        wait_until(lambda: not folder.exists())
        return
    with pymysql.connect(read_default_file=f"{folder}/client.cnf") as connection:
        assert connection.open
    end(folder, int((folder / "data/mysqld.pid").read_text()))
