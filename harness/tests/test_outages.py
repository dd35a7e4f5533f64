"""A server that goes away in the middle of a run: clear errors, an end, and nothing left later."""

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from throwaway_mysql.accounts import set_up, throwaway_prefix
from throwaway_mysql.login import Login
from throwaway_mysql.servers.run import RunServer
from throwaway_mysql.testing.looking import WITHIN, databases, processes, wait_until
from throwaway_mysql.testing.nested import Project, short_folder

Start = Callable[..., tuple["subprocess.Popen[str]", str]]

PREFIX = throwaway_prefix("away")
WAITING = """
import time
from pathlib import Path

def wait_for(name):
    Path(f"at-{name}").touch()
    while not Path(name).exists():
        time.sleep(0.01)
"""
MODULES = {
    "a": "from waiting import wait_for\n"
    "def test_before(run_sql): wait_for('gone')\n"
    "def test_during(run_sql): pass\n",
    "b": "from waiting import wait_for\n"
    "def test_during(create_db): pass\n"
    "def test_without(): wait_for('back')\n",
    "c": "def test_after(run_sql): run_sql('SELECT 1')\n",
}
PRIVATE = """
from pathlib import Path

def test_before(mysql_server, create_db):
    Path("pid").write_text((Path(mysql_server.log).parent / "data/mysqld.pid").read_text())
"""


@pytest.fixture(scope="module")
def server(mysql_program: str) -> Iterator[RunServer]:
    """Start a server that tests end."""
    with closing(RunServer(mysql_program)) as server:
        yield server


@pytest.fixture
def user(server: RunServer) -> Login:
    """Return an account there of the narrow grant."""
    with server.root.connect() as connection:
        set_up(connection, "away", "away", "a password")
    return Login(server.root.host, server.root.port, "away", "a password")


@pytest.fixture
def project(tmp_path: Path, mysql_program: str) -> Iterator[Project]:
    """Return a project of which a test waits for the server's end, and another for its return."""
    with short_folder() as places:
        project = Project(tmp_path, places, PREFIX, mysql_program)
        (tmp_path / "waiting.py").write_text(WAITING)
        (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
        project.write(**MODULES)
        yield project


def said_by(run: "subprocess.Popen[str]") -> str:
    """Return what a run has said at its end, which comes."""
    try:
        return run.communicate(timeout=WITHIN)[0]
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
        raise


def errors(said: str) -> list[str]:
    """Return what stands below the heading of each error, up to what the test printed."""
    parts = re.split(r"^_+ ERROR at .* _+$", said, flags=re.M)[1:]
    return [re.split(r"^[-=]+ ", part, flags=re.M)[0].strip() for part in parts]


@pytest.mark.parametrize(
    ("by", "comes_back"), [(signal.SIGTERM, False), (signal.SIGKILL, True)], ids=["", "comes back"]
)
def test_a_configured_one(
    project: Project,
    server: RunServer,
    user: Login,
    start_run: Start,
    by: signal.Signals,
    *,
    comes_back: bool,
) -> None:
    project.configure(user)
    live, live_one = start_run(user, PREFIX)
    run = project.start()
    wait_until((project.folder / "at-gone").exists)
    server.stop(by)
    (project.folder / "gone").touch()
    wait_until((project.folder / "at-back").exists)  # and until then none of the tests hangs
    if comes_back:
        server.start()
    (project.folder / "back").touch()
    said = said_by(run)
    count = 3 if comes_back else 4  # two tests or three, and the end of one's database
    assert errors(said) == [f"no server answers at {user.address}"] * count
    assert f"{6 - count} passed, {count} errors" in said
    if not comes_back:
        server.start()
    status, said = project.run()
    assert status == 0, said
    assert said.count("dropped what a killed run left") == 1
    assert {name for name in databases(user) if name.startswith(PREFIX)} == {live_one}
    live.kill()


def test_a_private_one(project: Project) -> None:
    project.environ["XDG_CACHE_HOME"] = os.environ["XDG_CACHE_HOME"]  # it has a template
    project.write(a=PRIVATE + MODULES["a"].replace("test_before(", "test_another("))
    run = project.start()
    wait_until((project.folder / "at-gone").exists)
    os.kill(int((project.folder / "pid").read_text()), signal.SIGKILL)
    for name in ("gone", "back"):
        (project.folder / name).touch()
    said = said_by(run)
    assert "3 passed, 4 errors" in said
    for error in errors(said):
        assert error.startswith("the private server of this run has ended: [ERROR] it was ended")
    assert processes(project.places) == project.left() == []
