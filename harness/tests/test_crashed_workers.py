"""A worker of pytest-xdist that crashes: the run goes on without it, and all it had is dropped."""

from pathlib import Path

import pytest

from throwaway_mysql.login import Login
from throwaway_mysql.testing.looking import databases
from throwaway_mysql.testing.nested import Project

BEGIN = """
import os, signal, time
from pathlib import Path
from throwaway_mysql.databases.sweep import survey
from throwaway_mysql.databases.verdict import State
"""
PASSES = "def test_passes_{0}(create_db): pass\n"
KILL = """
def test_crashes(create_db):
    Path("name").write_text(create_db["DATABASE_NAME"])
    Path("name").rename("crashed")
    os.kill(os.getpid(), signal.SIGKILL)
"""
# The other worker ends after the crash, though all may be done before; then the database is one
# that was left, or a new worker has dropped it.
LAST = """
def test_passes_last(create_db, mysql_server, mysql_run):
    while not Path("crashed").exists() or lives(mysql_server, mysql_run):
        time.sleep(0.01)

def lives(login, run):
    name = Path("crashed").read_text()
    return any(one.name == name and one.state is not State.LEFT for one in survey(login, run))
"""
# Two workers crash together, so that while one new worker collects there is another.
TOGETHER = """
def test_crashes(create_db):
    Path(f"here-{os.getpid()}").touch()
    while len(list(Path().glob("here-*"))) < 2:
        time.sleep(0.001)
    os._exit(1)
"""


def passing(count: int) -> str:
    """Return tests that pass."""
    return "".join(PASSES.format(number) for number in range(count))


CASES = {
    "and leaves one test": ("-n 1", [passing(1), KILL + passing(1)], 1),
    "beside another": ("-n 2 --dist loadfile", [KILL, LAST, passing(1)], 1),
    "together with another": ("-n 2", [TOGETHER + passing(1), TOGETHER, passing(1)], 2),
}


@pytest.mark.parametrize(("options", "modules", "crashes"), CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize("account", ["narrow"], indirect=True)
def test_the_run_goes_on_when_a_worker_crashes(
    tmp_path: Path, account: Login, prefix: str, options: str, modules: list[str], crashes: int
) -> None:
    project = Project(tmp_path, tmp_path, prefix)
    project.configure(account)
    project.write(**{str(number): BEGIN + text for number, text in enumerate(modules)})
    _, said = project.run(*options.split())  # it ends
    passed = sum(text.count("test_passes") for text in modules)
    assert f"{crashes} failed, {passed} passed" in said, said
    assert said.count("dropped what a killed run left") == crashes, said
    assert not [name for name in databases(account) if name.startswith(prefix)]
    assert project.left() == []
