"""What a run keeps on its private server: there after the run, until someone ends it."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pymysql
import pytest

from throwaway_mysql import ServerError
from throwaway_mysql.databases.place import Place
from throwaway_mysql.login import Login
from throwaway_mysql.servers import kept as servers_kept
from throwaway_mysql.servers.hold import await_guard
from throwaway_mysql.servers.leftovers import sweep
from throwaway_mysql.servers.program import FOLDERS
from throwaway_mysql.servers.shared import login_there
from throwaway_mysql.testing.looking import alive, guards, processes, wait_until
from throwaway_mysql.testing.nested import short_folder

CONFTEST = """
import os
from pathlib import Path
import pytest
from throwaway_mysql.servers import run

run.TMPFS = Path(os.environ.get("TEST_TMPFS", run.TMPFS))

@pytest.fixture(scope="session")
def mysql_tcp():
    return bool(os.environ.get("TEST_TCP"))
"""
WRITES = """
import pytest
from throwaway_mysql.login import Login
from throwaway_mysql.testing.looking import run

@pytest.mark.parametrize("number", [1, 2])
def test_it(create_db, mysql_server, number):
    run(mysql_server, create_db["DATABASE_NAME"], "CREATE TABLE t AS SELECT 42 AS n")
    print("named", create_db["DATABASE_NAME"])
    assert number == 1
"""
KILLED = """
import os, signal
import pytest

@pytest.mark.parametrize("number", [1, 2])
def test_it(create_db, mysql_server, number):
    print("folder", mysql_server.folder, flush=True)
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
"""
# While the run goes on, someone lists and ends what it has kept so far.
GOES_ON = """
import subprocess, sys
import pytest

@pytest.mark.parametrize("number", [1, 2])
def test_it(create_db, mysql_server, number):
    for words in (["kept"], ["end", str(mysql_server.folder)]) if number == 2 else ():
        argv = [sys.executable, "-m", "throwaway_mysql", *words]
        print(*words, subprocess.run(argv, capture_output=True, text=True, timeout=30))
    mysql_server.connect().close()
"""


@dataclass
class Project:
    """A project whose runs have a private server."""

    folder: Path
    program: str

    def run(self, module: str, *options: str, **environ: str) -> str:
        """Run a module's tests; return what pytest said."""
        (self.folder / "pytest.ini").write_text("[pytest]\nmysql_database = test\n")
        (self.folder / "conftest.py").write_text(CONFTEST)
        (self.folder / "test_it.py").write_text(module)
        argv = [sys.executable, "-m", "pytest", "-s", "-p", "no:cacheprovider", "-p", "no:randomly"]
        return subprocess.run(
            [*argv, f"--mysqld={self.program}", *options],
            cwd=self.folder,
            env=os.environ | {"TMPDIR": str(self.folder)} | environ,
            capture_output=True,
            text=True,
            check=False,
        ).stdout


@dataclass
class Kept:
    """What a run printed of a database that it kept."""

    database: str
    url: str
    command: str
    folder: Path

    @property
    def server(self) -> int:
        """The server's process."""
        return int((self.folder / "data/mysqld.pid").read_text())


@pytest.fixture
def project(tmp_path: Path, mysql_program: str) -> Iterator[Project]:
    """Return such a project; what its run kept is ended."""
    project = Project(tmp_path, mysql_program)
    yield project
    for folder in folders(project):
        end(folder)


def folders(project: Project) -> list[Path]:
    """Return the folders of servers whose run this project noted."""
    noted = project.folder / "folders"
    return [Path(line) for line in noted.read_text().split()] if noted.exists() else []


def kept(project: Project, said: str) -> list[Kept]:
    """Return what a run says that it kept."""
    found = re.findall(
        r"^kept: (mysql://[^/]+/(\w+)\S*)\n +(mysql .*)\n.*until `throwaway-mysql end (\S+)`$",
        said,
        re.M,
    )
    told = [Kept(name, url, command, Path(folder)) for url, name, command, folder in found]
    with (project.folder / "folders").open("a") as noted:
        print(*{one.folder for one in told}, file=noted)
    return told


def end(folder: Path) -> "subprocess.CompletedProcess[str]":
    """End a server that was kept, as a person does."""
    return throwaway_mysql("end", str(folder))


def throwaway_mysql(*arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """Run the command."""
    argv = [sys.executable, "-m", "throwaway_mysql", *arguments]
    environ = os.environ | environ
    return subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)


def guard_of(folder: Path) -> int:
    """Return the process that guards a folder."""
    [guard] = guards(folder)
    return guard


def listed(folder: Path) -> list[str]:
    """Return the lines of the list of what is kept that name a folder; others have theirs."""
    done = throwaway_mysql("kept", TMPDIR=str(folder.parent))
    assert (done.returncode, done.stderr) == (0, "")
    return [line for line in done.stdout.splitlines() if str(folder) in line]


@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["", "xdist"])
def test_only_what_is_kept_outlives_the_run_and_ends_when_told(
    project: Project, options: list[str]
) -> None:
    [one] = kept(project, project.run(WRITES, "--db-keep=failed", *options))
    assert one.folder.is_dir()
    assert alive(one.server)
    assert [path.name for path in (one.folder / "data").glob("throwaway_test_*")] == [one.database]
    assert os.getsid(one.server) != os.getsid(0)  # so no terminal's end reaches it
    done = end(one.folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert not one.folder.exists()
    assert not processes(one.folder)


@pytest.mark.parametrize("tcp", ["", "1"], ids=["socket", "port"])
def test_pymysql_gets_in_by_the_file_for_clients(project: Project, tcp: str) -> None:
    [one] = kept(project, project.run(WRITES, "--db-keep=failed", TEST_TCP=tcp))
    options = str(one.folder / "client.cnf")
    with (
        pymysql.connect(read_default_file=options, database=one.database) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT n FROM t")
        assert cursor.fetchall() == ((42,),)


def test_the_list_says_what_the_run_has_said(project: Project) -> None:
    said = project.run(WRITES, "--db-keep=failed").splitlines()
    [one] = kept(project, "\n".join(said))
    begin = said.index(f"kept: {one.url}")
    assert listed(one.folder) == said[begin : begin + 3]
    end(one.folder)
    assert listed(one.folder) == []


def test_the_list_tells_of_a_server_without_databases(project: Project) -> None:
    [one] = kept(project, project.run(WRITES, "--db-keep=failed"))
    with Place(login_there(one.folder)) as place:
        place.rows(f"DROP DATABASE {one.database}")
    way_out = f"`throwaway-mysql end {one.folder}`"
    assert listed(one.folder) == [f"kept, but without databases: {way_out} ends the server"]


def test_the_list_tells_of_a_server_that_was_killed_with_its_guard(project: Project) -> None:
    with short_folder() as place:  # where no other run sweeps
        said = project.run(WRITES, "--db-keep=failed", TEST_TMPFS=str(place))
        [one] = kept(project, said)
        server = one.server
        for pid in (guard_of(one.folder), server):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not alive(server))
        [line] = listed(one.folder)
        assert line.startswith("kept, but the private server of this run has ended: ")
        assert line.endswith(f": `throwaway-mysql end {one.folder}` removes what is left")
        assert end(one.folder).returncode == 0
        assert not one.folder.exists()


def test_what_a_run_has_kept_that_goes_on_is_marked_and_not_ended(project: Project) -> None:
    said = project.run(GOES_ON, "--db-keep=all")
    assert "2 passed" in said
    one, _ = kept(project, said)
    lists, ends = re.findall(r"^(?:kept|end) .*CompletedProcess.*$", said, re.M)
    line = f"{one.folder} is still in use by the run that made it"
    assert f"\\n      {line}\\n" in lists
    assert f"returncode=1, stdout='', stderr='{line}: end that first\\n'" in ends
    assert line not in str(listed(one.folder))
    assert end(one.folder).returncode == 0


def test_a_server_that_does_not_end_is_not_awaited_for_ever(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    [one] = kept(project, project.run(WRITES, "--db-keep=failed"))
    os.kill(one.server, signal.SIGSTOP)
    try:
        monkeypatch.setattr("throwaway_mysql.servers.kept.ENDED_WITHIN", 0.1)
        with pytest.raises(ServerError, match=r"has not ended within 0 s: see .*/server\.log"):
            servers_kept.end(one.folder)
    finally:
        os.kill(one.server, signal.SIGCONT)
    wait_until(lambda: not one.folder.exists() and not processes(one.folder))


def test_its_own_end_leaves_nothing_either(project: Project) -> None:
    [one, other] = kept(project, project.run(WRITES, "--db-keep"))
    assert one.folder == other.folder
    os.kill(one.server, signal.SIGTERM)
    wait_until(lambda: not one.folder.exists() and not processes(one.folder))
    done = end(one.folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"there is no server in {one.folder} that a run kept\n"


def test_one_whose_guard_was_killed_is_spared_and_ends_when_told(project: Project) -> None:
    [one] = kept(project, project.run(WRITES, "--db-keep=failed"))
    os.kill(guard_of(one.folder), signal.SIGKILL)
    await_guard(one.folder)
    server = one.server
    sweep([one.folder.parent])
    assert alive(server)
    done = end(one.folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert not one.folder.exists()
    wait_until(lambda: not alive(server))


@pytest.mark.parametrize("name", ["project", "throwaway-mysql-mine"])
def test_what_is_no_folder_of_a_run_is_not_ended(tmp_path: Path, name: str) -> None:
    own = tmp_path / name
    own.mkdir()
    for file in ("kept", "code.py"):
        (own / file).touch()
    (tmp_path / "link").symlink_to(own)
    for folder in (own, tmp_path / "link"):
        done = end(folder)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"there is no server in {folder} that a run kept\n"
    assert (own / "code.py").exists()


@pytest.mark.parametrize("tcp", ["", "1"], ids=["socket", "port"])
def test_the_command_that_is_printed_leads_inside(project: Project, tcp: str) -> None:
    said = project.run(WRITES, "--db-keep=failed", TEST_TCP=tcp)
    [one] = kept(project, said)
    options = one.folder / "client.cnf"
    assert options.stat().st_mode & 0o777 == 0o600
    client = client_beside(project.program)
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
    line, command = servers_kept.ways_in(login, "d")
    assert line == f"kept: mysql://{url}"
    assert shlex.split(command)[-4:] == ["-u", login.user, "-p", "d"]


def client_beside(program: str) -> str:
    """Return the path of the client `mysql`; skip where there is none."""
    path = os.pathsep.join([str(Path(program).parent), os.environ["PATH"], *FOLDERS])
    client = shutil.which("mysql", path=path) or shutil.which("mariadb", path=path)
    return client or pytest.skip("this machine has no client `mysql`")


def test_a_run_that_is_killed_leaves_what_it_had_kept_and_the_server(project: Project) -> None:
    said = project.run(KILLED, "--db-keep")
    [folder] = {Path(name) for name in re.findall(r"^.*folder (\S+)$", said, re.M)}
    (project.folder / "folders").write_text(str(folder))
    server = int((folder / "data/mysqld.pid").read_text())
    # Once the guard has met the run's end it has decided: it answers no more commands.
    assert end(folder).returncode == 0
    wait_until(lambda: not alive(server))
    assert not folder.exists()


def test_a_run_that_is_killed_before_keeps_nothing(project: Project) -> None:
    said = project.run(KILLED.replace("number == 2", "number == 1"), "--db-keep")
    [folder] = re.findall(r"^.*folder (\S+)$", said, re.M)
    wait_until(lambda: not Path(folder).exists() and not processes(Path(folder)))
