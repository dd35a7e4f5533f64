"""pytest killed at any moment on a configured server: nothing is left after the next run."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from throwaway_mysql.databases.identity import Maker, Name
from throwaway_mysql.databases.marker import Marker, write
from throwaway_mysql.databases.place import Place
from throwaway_mysql.databases.verdict import STEP
from throwaway_mysql.login import Login
from throwaway_mysql.testing.killing import (
    REVISIONS,
    alone,
    begin,
    end_all,
    group,
    kill_many,
    nothing_is_left,
    of_project,
    stop,
    timed,
    write_modules,
)
from throwaway_mysql.testing.looking import databases, wait_until
from throwaway_mysql.testing.nested import Project, short_folder

WriteProject = Callable[..., Path]

KILLS = 50
LONG = 300  # seconds that so many runs may take on a busy machine


@pytest.fixture
def project(write_project: WriteProject, account: Login, prefix: str) -> Iterator[Project]:
    """Return a project whose runs use the account."""
    folder = write_project(*REVISIONS).parent
    with short_folder() as places:
        project = Project(folder, places, prefix)
        project.configure(account)
        write_modules(project)
        yield project
        end_all(project.folder)


def a_persons(account: Login, prefix: str, gone: Maker) -> set[str]:
    """Make databases that are not ours to drop, for all that they look like it."""
    names = [str(Name(prefix, "200101000000_abcdef", "main", number)) for number in range(1, 5)]
    empty, with_table, copied, spared = names
    with Place(account) as place:
        for name in (f"{prefix}mine", *names):
            place.rows(f"CREATE DATABASE {name}")
        for name in (f"{prefix}mine", with_table, copied, spared):
            place.rows(f"CREATE TABLE {name}.t (n INT)")
        write(place, copied, Marker(empty, gone))
        write(place, spared, Marker(spared, gone))
    return {f"{prefix}mine", *names}


def connections(account: Login) -> int:
    """Return how many connections the account has, besides that which asks."""
    with Place(account) as place:
        return len(place.rows("SHOW PROCESSLIST")) - 1


@pytest.mark.slow
@pytest.mark.timeout(LONG)
@pytest.mark.parametrize("account", ["narrow"], indirect=True)
def test_nothing_is_left_but_what_a_person_made(
    project: Project, account: Login, prefix: str, gone: Maker
) -> None:
    theirs = a_persons(account, prefix, gone)
    project.environ["TEST_SPARED"] = max(theirs - {f"{prefix}mine"})
    with Place(account) as place:  # or a run might have begun before its server started
        wait_until(lambda: place.now > place.started + STEP)
    going_on = begin(project)
    kill_many(project, [alone, group], timed(project), KILLS)
    stop(project, going_on)
    wait_until(lambda: not of_project(project))  # workers notice that they are alone
    wait_until(lambda: connections(account) == 0)
    timed(project, 1)
    assert {name for name in databases(account) if name.startswith(prefix)} == theirs
    assert nothing_is_left(project)
    wait_until(lambda: connections(account) == 0)  # and with them the locks have gone
