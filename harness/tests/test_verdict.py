"""When a database may be dropped: each rule, and its opposite."""

from contextlib import closing
from datetime import timedelta

import pytest

from throwaway_mysql.databases.database import StaysError, drop, keep, throwaway_database
from throwaway_mysql.databases.holders import connections
from throwaway_mysql.databases.identity import Maker, lock_of
from throwaway_mysql.databases.marker import VIEW, Marker, write
from throwaway_mysql.databases.ownership import Run
from throwaway_mysql.databases.place import Place
from throwaway_mysql.databases.sweep import Swept, sweep
from throwaway_mysql.login import Login
from throwaway_mysql.testing.looking import databases, wait_until
from throwaway_mysql.testing.scene import ELSEWHERE, NOW, Scene

DAY = timedelta(days=1, minutes=1)


def test_what_an_ended_process_made_goes(scene: Scene, gone: Maker) -> None:
    assert scene.goes(scene.marked(gone))


def test_what_a_running_process_made_stays_though_its_lock_is_free(scene: Scene) -> None:
    assert scene.stays(scene.marked(Maker.me()), f"process {Maker.me().pid} runs")


def test_what_a_former_process_of_the_same_number_made_goes(scene: Scene) -> None:
    assert scene.goes(scene.marked(Maker.me()._replace(started=1)))


def test_what_has_its_lock_stays(scene: Scene, gone: Maker) -> None:
    name = scene.marked(gone)
    with scene.login.connect() as other, other.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, 0)", (lock_of(name, scene.run.prefix),))
        assert scene.stays(name, f"connection {other.thread_id()} has its run's lock")  # type: ignore[no-untyped-call]
        cursor.execute("SELECT RELEASE_LOCK(%s)", (lock_of(name, scene.run.prefix),))
        assert scene.goes(name)


def test_what_someone_uses_stays(scene: Scene, gone: Maker) -> None:
    name = scene.marked(gone)
    with Place(scene.login) as other:
        other.connection.select_db(name)
        assert scene.stays(name, f"connection {other.id} of ")
        other.connection.close()
        wait_until(lambda: not connections(scene.place, name))
    assert scene.goes(name)


def test_what_a_person_made_with_the_same_prefix_stays(scene: Scene) -> None:
    theirs = [scene.made(scene.run.prefix + name) for name in ("mine", "261121_abcdef_main_1")]
    assert sweep(scene.login, scene.run) == Swept()
    assert set(theirs) <= databases(scene.login)
    for name in theirs:
        with pytest.raises(StaysError, match="is not dropped: it is not named as a throwaway"):
            drop(scene.place, name, scene.run)


@pytest.mark.parametrize(
    "thing",
    [
        "CREATE TABLE t (n INT)",
        "CREATE VIEW v AS SELECT 1",
        f"CREATE VIEW {VIEW} AS SELECT 1 AS form",
        f"CREATE VIEW {VIEW} AS SELECT SLEEP(60) AS name",
        f"CREATE TABLE {VIEW} (form INT)",
        "CREATE FUNCTION f() RETURNS INT DETERMINISTIC RETURN 1",
        "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM t",
    ],
)
def test_what_has_no_marker_stays_whatever_is_in_it(scene: Scene, thing: str) -> None:
    assert scene.stays(scene.made(scene.name(NOW - DAY), thing), "it has no marker")


def test_what_is_empty_stays_as_a_person_may_have_made_it(scene: Scene) -> None:
    assert scene.stays(scene.made(scene.name(NOW - DAY)), "it has no marker")


def test_what_is_begun_goes_as_its_run_was_killed_before_it_made_the_marker(
    scene: Scene, gone: Maker
) -> None:
    assert scene.goes(scene.begun(gone, NOW + timedelta(hours=1)))


def test_what_is_begun_and_older_than_the_server_stays_for_a_day(scene: Scene) -> None:
    assert scene.stays(scene.begun(ELSEWHERE, NOW - timedelta(hours=23)), "left after a day")
    assert scene.goes(scene.begun(ELSEWHERE, NOW - DAY))


def test_what_is_begun_and_has_tables_stays_where_no_comment_tells_who_made_it(
    scene: Scene, gone: Maker
) -> None:
    name = scene.begun(gone, NOW)
    scene.place.rows(f"CREATE TABLE {name}.t (n INT)")
    is_mysql = scene.place.value("SELECT 0 /*!80000 + 1 */")
    assert scene.stays(name, "it has no marker") if is_mysql else scene.goes(name)


def test_a_copy_stays_as_its_marker_is_that_of_another(scene: Scene, gone: Maker) -> None:
    name, original = scene.made(scene.name()), scene.name()
    write(scene.place, name, Marker(original, gone))
    assert scene.stays(name, f"its marker is that of {original}")


@pytest.mark.parametrize("maker", [ELSEWHERE, Maker("", 1, 1)], ids=["elsewhere", "no /proc"])
def test_what_was_made_where_nobody_here_can_look_stays_for_a_day(
    scene: Scene, maker: Maker
) -> None:
    for begun in (NOW, NOW - timedelta(hours=23)):
        assert scene.stays(scene.marked(maker, begun), "its process cannot be seen from here")
    assert scene.goes(scene.marked(maker, NOW - DAY))


def test_what_is_kept_goes_only_when_told_to(scene: Scene, gone: Maker) -> None:
    name = scene.marked(gone, kept=True)
    assert scene.stays(name, "wanted it kept")
    assert scene.goes(name, kept=True)


def test_what_a_live_run_keeps_stays_even_when_told_to(scene: Scene) -> None:
    name = scene.marked(Maker.me(), kept=True)
    assert not scene.goes(name, kept=True)


def test_a_run_keeps_a_database_beyond_its_end(scene: Scene, prefix: str) -> None:
    with (
        closing(Run.begin(prefix)) as run,
        throwaway_database(scene.login, "", run) as coordinates,
    ):
        name = coordinates["DATABASE_NAME"]
        keep(scene.login, name, run)
        assert scene.stays(name, "runs")
    assert name in databases(scene.login)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("mysql", "it is the server's own"),
        ("SYS", "it is the server's own"),
        ("information_schema", "it is the server's own"),
        ("performance_schema", "it is the server's own"),
        ("shop", "it is the project's own"),
        ("another", "it is not named as a throwaway database"),
    ],
)
def test_what_is_not_a_throwaway_database_is_refused(
    mysql_root: Login, prefix: str, name: str, why: str
) -> None:
    run = Run.begin(prefix, spared=["shop"])
    with Place(mysql_root) as place, pytest.raises(StaysError) as error:
        drop(place, name, run)
    assert str(error.value).startswith(f"{name} is not dropped: {why}")
    assert len(str(error.value).splitlines()) == 1
    run.made.add(name)  # not even if it were said to be the run's
    with Place(mysql_root) as place, pytest.raises(StaysError):
        drop(place, name, run)


def test_the_projects_own_stays_whatever_it_is_called(scene: Scene, gone: Maker) -> None:
    name = scene.marked(gone)
    owner = Run.begin(scene.run.prefix, spared=[name.upper()])
    assert sweep(scene.login, owner).dropped == []
    with pytest.raises(StaysError, match="it is the project's own"):
        drop(scene.place, name, owner)
    assert scene.goes(name)


def test_what_another_run_with_the_same_prefix_has_stays(scene: Scene, prefix: str) -> None:
    with (
        closing(Run.begin(prefix)) as other,
        throwaway_database(scene.login, "", other) as coordinates,
    ):
        assert scene.stays(coordinates["DATABASE_NAME"], "runs")
        with pytest.raises(StaysError):
            drop(scene.place, coordinates["DATABASE_NAME"], scene.run)


def test_a_run_does_not_sweep_its_own(scene: Scene, prefix: str) -> None:
    with closing(Run.begin(prefix)) as run, throwaway_database(scene.login, "", run):
        assert sweep(scene.login, run) == Swept()


def test_its_own_goes_though_a_test_dropped_the_marker(scene: Scene, prefix: str) -> None:
    with (
        closing(Run.begin(prefix)) as run,
        throwaway_database(scene.login, "", run) as coordinates,
    ):
        scene.place.rows(f"DROP VIEW {coordinates['DATABASE_NAME']}.{VIEW}")
        scene.place.rows(f"CREATE TABLE {coordinates['DATABASE_NAME']}.t (n INT)")
    assert coordinates["DATABASE_NAME"] not in databases(scene.login)
