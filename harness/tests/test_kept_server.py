"""What a run keeps on its private server: there after the run, until someone ends it."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pymysql
import pytest
from support.processes import wait_until

from throwaway_mysql import ServerError
from throwaway_mysql.run import end_kept

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


def folders(result: pytest.RunResult) -> set[Path]:
    """Return the folders of servers that a run said it had kept."""
    return {Path(name) for name in re.findall(r"`throwaway-mysql end (\S+)`", result.stdout.str())}


@pytest.fixture
def ended() -> Iterator[list[Path]]:
    """Return a list of folders, whose servers are ended after the test."""
    found: list[Path] = []
    yield found
    for folder in found:
        with suppress(ServerError):
            end_kept(folder)


@pytest.mark.parametrize(
    ("options", "tcp"), [((), False), (("-n2",), False), ((), True)], ids=["", "xdist", "port"]
)
def test_only_what_is_kept_outlives_the_run_and_ends_when_told(
    private_project: Any, ended: list[Path], options: tuple[str, ...], *, tcp: bool
) -> None:
    ini = f"mysql_tcp = {tcp}\n"
    files = {"passes": PASSES, "writes": WRITES}
    result = private_project.spawn("--db-keep=failed", *options, ini=ini, **files)
    (folder,) = folders(result)
    ended.append(folder)
    (name,) = re.findall(rf"mysql --defaults-file={folder}/client.cnf (\S+)", result.stdout.str())
    file = folder / "client.cnf"
    assert file.stat().st_mode & 0o777 == 0o600
    assert re.findall("password=(.{16})", file.read_text())[0] not in result.stdout.str()
    with pymysql.connect(read_default_file=str(file)) as connection:
        cursor = connection.cursor()
        cursor.execute(f"SELECT n FROM {name}.t")
        assert cursor.fetchall() == ((42,),)
        cursor.execute("SHOW DATABASES LIKE 'throwaway\\_test\\_%'")
        assert cursor.fetchall() == ((name,),)  # and no template
    argv = [sys.executable, "-m", "throwaway_mysql"]
    listed = subprocess.run([*argv, "kept"], check=True, capture_output=True, text=True).stdout
    assert str(folder) in listed
    done = subprocess.run([*argv, "end", str(folder)], check=True, capture_output=True, text=True)
    assert done.stdout == f"the server in {folder} has ended, and what it kept is gone\n"
    assert not folder.exists()


def test_a_run_that_is_killed_leaves_what_it_had_kept_and_the_server(
    private_project: Any, ended: list[Path]
) -> None:
    setting = ("-o", "mysql_database=test")
    result = private_project.spawn("--db-keep", *setting, it=KILLED)
    assert result.ret == -signal.SIGKILL
    (folder,) = re.findall(r"folder (\S+)", result.stdout.str())
    ended.append(Path(folder))
    with pymysql.connect(read_default_file=f"{folder}/client.cnf") as connection:
        assert connection.open


def test_a_run_that_is_killed_before_keeps_nothing(private_project: Any) -> None:
    killed = KILLED.replace("test_one", "no_test")
    result = private_project.spawn("--db-keep", it=killed)
    (folder,) = re.findall(r"folder (\S+)", result.stdout.str())
    wait_until(lambda: not Path(folder).exists())
