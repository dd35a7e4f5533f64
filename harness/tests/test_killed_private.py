"""pytest killed at any moment with private servers: nothing is left after the next run."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from throwaway_mysql.testing.killing import (
    REVISIONS,
    all_of_it,
    alone,
    begin,
    end_all,
    group,
    kill_many,
    nothing_is_left,
    of_project,
    stop,
    timed,
    with_guard,
    write_modules,
)
from throwaway_mysql.testing.looking import wait_until
from throwaway_mysql.testing.nested import Project, short_folder

WriteProject = Callable[..., Path]

KINDS = [alone, group, with_guard, all_of_it]
COLD, WARM = 10, 40  # kills while templates are made, and later
LONG = 300  # seconds that so many runs may take on a busy machine


@pytest.fixture
def project(write_project: WriteProject, mysql_program: str) -> Iterator[Project]:
    """Return a project whose runs have private servers."""
    folder = write_project(*REVISIONS).parent
    with short_folder() as places:
        project = Project(folder, places, "killed_test_", mysql_program)
        write_modules(project)
        yield project
        end_all(project.folder)


@pytest.mark.slow
@pytest.mark.timeout(LONG)
@pytest.mark.parametrize(("kills", "cold"), [(COLD, True), (WARM, False)], ids=["cold", "warm"])
def test_nothing_is_left(project: Project, kills: int, *, cold: bool) -> None:
    seconds = timed(project)
    going_on = begin(project)
    kill_many(project, KINDS, seconds if cold else timed(project), kills, forget=cold)
    stop(project, going_on)
    wait_until(lambda: not of_project(project))
    timed(project, 1)
    wait_until(lambda: nothing_is_left(project))  # guards that were not killed have their time
