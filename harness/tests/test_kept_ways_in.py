"""What a run says of what it keeps on its private server: the ways in, and a list of all."""

import os
import re
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

import pymysql
import pytest

from throwaway_mysql.databases.place import Place
from throwaway_mysql.login import Login
from throwaway_mysql.servers.hold import await_guard
from throwaway_mysql.servers.kept import ways_in
from throwaway_mysql.servers.program import FOLDERS
from throwaway_mysql.servers.shared import login_there
from throwaway_mysql.testing.keeping import WRITES, Keeper, end, guard_of, kept, listed
from throwaway_mysql.testing.looking import alive, wait_until
from throwaway_mysql.testing.nested import short_folder


@pytest.mark.parametrize("tcp", ["", "1"], ids=["socket", "port"])
def test_pymysql_gets_in_by_the_file_for_clients(keeper: Keeper, tcp: str) -> None:
    [one] = kept(keeper, keeper.run(WRITES, "--db-keep=failed", TEST_TCP=tcp))
    options = str(one.folder / "client.cnf")
    with (
        pymysql.connect(read_default_file=options, database=one.database) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT n FROM t")
        assert cursor.fetchall() == ((42,),)


@pytest.mark.parametrize("tcp", ["", "1"], ids=["socket", "port"])
def test_the_command_that_is_printed_leads_inside(keeper: Keeper, tcp: str) -> None:
    said = keeper.run(WRITES, "--db-keep=failed", TEST_TCP=tcp)
    [one] = kept(keeper, said)
    options = one.folder / "client.cnf"
    assert options.stat().st_mode & 0o777 == 0o600
    client = client_beside(keeper.program)
    place = r"127\.0\.0\.1:\d+/\w+\?" if tcp else r"localhost/\w+\?unix_socket=(/\S+)&"
    found = re.fullmatch(rf"mysql://root@{place}charset=utf8mb4", one.url)
    assert found
    assert tcp or Path(found[1]).is_socket()  # elsewhere than the folder, if that has a long path
    [password] = re.findall(r'^password="(.{16})', options.read_text(), re.M)
    assert password not in said
    argv = one.command.split()
    assert argv[0] == "mysql"
    done = subprocess.run(
        [client, *argv[1:], "-N", "-e", "SELECT n FROM t"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("42\n", "")


@pytest.mark.parametrize(
    ("login", "url"),
    [
        (Login("::1", 3306, "a b", "p"), "a%20b@[::1]:3306/d?charset=utf8mb4"),
        (
            Login("localhost", 0, "a:@b", "p", unix_socket="/a b/sock"),
            "a%3A%40b@localhost/d?unix_socket=/a%20b/sock&charset=utf8mb4",
        ),
    ],
    ids=["port", "socket"],
)
def test_what_is_awkward_is_quoted_and_no_password_is_told(login: Login, url: str) -> None:
    line, command = ways_in(login, "d")
    assert line == f"kept: mysql://{url}"
    assert shlex.split(command)[-4:] == ["-u", login.user, "-p", "d"]


def client_beside(program: str) -> str:
    """Return the path of the client `mysql`; skip where there is none."""
    path = os.pathsep.join([str(Path(program).parent), os.environ["PATH"], *FOLDERS])
    client = shutil.which("mysql", path=path) or shutil.which("mariadb", path=path)
    return client or pytest.skip("this machine has no client `mysql`")


def test_the_list_says_what_the_run_has_said(keeper: Keeper) -> None:
    said = keeper.run(WRITES, "--db-keep=failed").splitlines()
    [one] = kept(keeper, "\n".join(said))
    begin = said.index(f"kept: {one.url}")
    assert listed(one.folder) == said[begin : begin + 3]
    end(one.folder)
    assert listed(one.folder) == []


def test_the_list_tells_of_a_server_without_databases(keeper: Keeper) -> None:
    [one] = kept(keeper, keeper.run(WRITES, "--db-keep=failed"))
    with Place(login_there(one.folder)) as place:
        place.rows(f"DROP DATABASE {one.database}")
    way_out = f"`throwaway-mysql end {one.folder}`"
    assert listed(one.folder) == [f"kept, but without databases: {way_out} ends the server"]


def test_the_list_tells_of_a_server_that_was_killed_with_its_guard(keeper: Keeper) -> None:
    with short_folder() as place:  # where no other run sweeps
        said = keeper.run(WRITES, "--db-keep=failed", TEST_TMPFS=str(place))
        [one] = kept(keeper, said)
        server = one.server
        for pid in (guard_of(one.folder), server):
            os.kill(pid, signal.SIGKILL)
        await_guard(one.folder)
        wait_until(lambda: not alive(server))
        [line] = listed(one.folder)
        assert line.startswith("kept, but the private server of this run has ended: ")
        assert line.endswith(f": `throwaway-mysql end {one.folder}` removes what is left")
        assert end(one.folder).returncode == 0
        assert not one.folder.exists()
