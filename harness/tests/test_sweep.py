"""When a database may be dropped: each rule, and its opposite."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from throwaway_mysql import ServerError
from throwaway_mysql.accounts import identifier
from throwaway_mysql.databases.database import StaysError, drop, keep, throwaway_database
from throwaway_mysql.databases.identity import Maker, Name, lock_of
from throwaway_mysql.databases.marker import VIEW, Marker, create, write
from throwaway_mysql.databases.ownership import Run
from throwaway_mysql.databases.place import Place
from throwaway_mysql.databases.sweep import Swept, survey, sweep
from throwaway_mysql.databases.verdict import State
from throwaway_mysql.login import Login
from throwaway_mysql.servers.run import RunServer
from throwaway_mysql.testing.looking import databases, wait_until

Start = Callable[..., tuple["subprocess.Popen[str]", str]]

NOW, DAY = datetime.now(UTC), timedelta(days=1, minutes=1)
ELSEWHERE = Maker("elsewhere", 1, 1)


class Scene:
    """Databases with a prefix, made by hand, and one sweep after the other."""

    def __init__(self, account: Login, prefix: str) -> None:
        self.login, self.run = account, Run.begin(prefix)
        self.place = Place(account)
        self._number = 0

    def name(self, begun: datetime = NOW) -> str:
        """Return the name of a database of a run that began then."""
        self._number += 1
        return str(Name(self.run.prefix, f"{begun:%y%m%d%H%M%S}_abcdef", "gw0", self._number))

    def made(self, name: str, *statements: str) -> str:
        """Make a database without a marker, and what is in it."""
        self.place.rows(f"CREATE DATABASE {identifier(name)}")
        self.place.connection.select_db(name)
        for statement in statements:
            self.place.rows(statement)
        self.place.close()
        self.place = Place(self.login)
        return name

    def marked(self, maker: Maker, begun: datetime = NOW, **marker: int) -> str:
        """Make a database as a run does, with a table."""
        name = self.made(self.name(begun), "CREATE TABLE t (n INT)")
        server = marker.get("server", self.place.started)
        write(self.place, name, Marker(name, maker, server, bool(marker.get("kept"))))
        return name

    def begun(self, maker: Maker, begun: datetime) -> str:
        """Make a database as a run does that is killed before it made the marker."""
        name = self.name(begun)
        create(self.place, Marker(name, maker, self.place.started - 60))
        return name

    def goes(self, name: str, *, kept: bool = False) -> bool:
        """Tell whether a sweep drops a database; a survey has said so."""
        there = {verdict.name: verdict.state for verdict in survey(self.login, self.run)}
        swept = sweep(self.login, self.run, kept=kept)
        gone = name not in databases(self.login)
        assert gone == (name in swept.dropped)
        assert gone == (there[name] is State.LEFT or (kept and there[name] is State.KEPT))
        return gone

    def stays(self, name: str, why: str) -> bool:
        """Tell whether a sweep leaves a database for a reason."""
        assert not self.goes(name)
        (verdict,) = [verdict for verdict in survey(self.login, self.run) if verdict.name == name]
        return why in verdict.reason


@pytest.fixture
def scene(account: Login, prefix: str) -> Iterator[Scene]:
    """Return a scene on the tests' server."""
    scene = Scene(account, prefix)
    yield scene
    scene.place.close()


@pytest.fixture(scope="module")
def gone() -> Maker:
    """Return a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        return Maker.of(process.pid)


@pytest.fixture(scope="module")
def server(mysql_program: str) -> Iterator[RunServer]:
    """Start a server that tests restart."""
    with closing(RunServer(mysql_program)) as server:
        yield server


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
        wait_until(lambda: scene.goes(name))


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
    assert scene.stays(scene.begun(ELSEWHERE, NOW - timedelta(hours=23)), "may have restarted")
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
    write(scene.place, name, Marker(original, gone, scene.place.started))
    assert scene.stays(name, f"its marker is that of {original}")


def test_what_was_made_elsewhere_goes_where_no_restart_can_have_freed_its_lock(
    scene: Scene,
) -> None:
    assert scene.goes(scene.marked(ELSEWHERE))
    assert scene.goes(scene.marked(Maker("", 1, 1)))  # on a system without /proc


def test_what_was_made_elsewhere_before_a_restart_stays_for_a_day(scene: Scene) -> None:
    before = scene.place.started - 60
    assert scene.stays(scene.marked(ELSEWHERE, server=before), "may have restarted")
    assert scene.stays(scene.marked(ELSEWHERE, server=0), "may have restarted")
    assert scene.goes(scene.marked(ELSEWHERE, NOW - DAY, server=before))


def test_what_is_kept_goes_only_when_told_to(scene: Scene, gone: Maker) -> None:
    name = scene.marked(gone, kept=1)
    assert scene.stays(name, "wanted it kept")
    assert scene.goes(name, kept=True)


def test_what_a_live_run_keeps_stays_even_when_told_to(scene: Scene) -> None:
    name = scene.marked(Maker.me(), kept=1)
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


def test_a_second_sweep_at_once_does_nothing(scene: Scene, gone: Maker) -> None:
    name = scene.marked(gone)
    with scene.place.locked(f"throwaway-mysql sweep {scene.run.prefix}"):
        assert sweep(scene.login, scene.run) == Swept(note="another sweep is under way")
    assert scene.goes(name)


def test_many_sweeps_at_once_drop_each_once(scene: Scene, gone: Maker) -> None:
    names = [scene.marked(gone) for _ in range(20)]
    with ThreadPoolExecutor(8) as pool:
        runs = [Run.begin(scene.run.prefix) for _ in range(8)]
        swept = list(pool.map(lambda run: sweep(scene.login, run), runs))
    assert sorted(name for one in swept for name in one.dropped) == sorted(names)
    assert not databases(scene.login) & set(names)


def test_one_that_cannot_be_dropped_does_not_save_the_others(
    mysql_root: Login, prefix: str, gone: Maker, account: Login
) -> None:
    if account.user == "root":
        pytest.skip("root sees all connections")
    scene = Scene(account, prefix)
    with closing(scene.place), Place(mysql_root) as hidden:
        stuck, other = scene.marked(gone), scene.marked(gone)
        hidden.rows("BEGIN")
        hidden.rows(f"SELECT * FROM {stuck}.t")
        swept = sweep(account, scene.run)
    assert swept.dropped == [other]
    assert [verdict.name for verdict in swept.stay] == [stuck]
    assert "cannot see or end" in swept.stay[0].reason


def test_a_live_run_keeps_its_own_though_a_restart_freed_its_lock(
    server: RunServer, start_run: Start
) -> None:
    process, name = start_run(server.root, "restart_test_")
    run = Run.begin("restart_test_")
    server.stop(signal.SIGKILL)
    server.start()
    with Place(server.root) as place:
        assert place.value("SELECT IS_USED_LOCK(%s)", lock_of(name, run.prefix)) is None
    (verdict,) = sweep(server.root, run).stay
    assert (verdict.name, verdict.state) == (name, State.LIVE)
    assert f"process {process.pid} runs" in verdict.reason
    assert name in databases(server.root)
    process.kill()
    process.wait()
    assert sweep(server.root, run).dropped == [name]


def test_after_a_restart_what_was_made_elsewhere_stays(server: RunServer) -> None:
    scene = Scene(server.root, "elsewhere_test_")
    name = scene.marked(ELSEWHERE)
    wait_until(lambda: scene.place.now > scene.place.started)
    scene.place.close()
    server.stop(signal.SIGKILL)
    server.start()
    scene.place = Place(server.root)
    assert scene.stays(name, "may have restarted")
    scene.place.close()


def test_what_a_killed_run_left_goes(account: Login, prefix: str, start_run: Start) -> None:
    process, name = start_run(account, prefix)
    run = Run.begin(prefix)
    assert sweep(account, run).dropped == []
    assert name in databases(account)
    process.kill()
    process.wait()
    with Place(account) as place:
        wait_until(lambda: place.value("SELECT IS_FREE_LOCK(%s)", lock_of(name, prefix)))
    assert sweep(account, run).dropped == [name]
    assert survey(account, run) == []


def test_a_run_that_ends_leaves_nothing_to_sweep(
    account: Login, prefix: str, start_run: Start
) -> None:
    process, name = start_run(account, prefix)
    process.communicate()
    assert process.returncode == 0
    assert name not in databases(account)


def test_on_a_server_that_keeps_names_in_lower_case_all_is_the_same(
    mysql_program: str, gone: Maker
) -> None:
    flags = ["--lower-case-table-names=1"]
    with closing(RunServer(mysql_program, flags=flags)) as server:
        scene = Scene(server.root, "Shop_Test_")
        live = scene.marked(Maker.me()).lower()
        assert scene.stays(live, "runs")
        assert scene.goes(scene.marked(gone).lower())
        with closing(scene.run), throwaway_database(server.root, "", scene.run) as coordinates:
            assert coordinates["DATABASE_NAME"].lower() in databases(server.root)
        assert databases(server.root) & {live, coordinates["DATABASE_NAME"].lower()} == {live}
        scene.place.close()


def test_odd_signs_in_a_prefix_do_no_harm(mysql_root: Login, gone: Maker) -> None:
    scene = Scene(mysql_root, "o'd%\"`\\ é_test_")
    with closing(scene.place):
        assert scene.goes(scene.marked(gone))
        assert scene.stays(kept := scene.marked(gone, kept=1), "kept")
        assert scene.goes(kept, kept=True)


def test_a_login_that_fails_is_one_clear_error(mysql_root: Login, prefix: str) -> None:
    wrong = replace(mysql_root, password="wrong")  # noqa: S106
    with pytest.raises(ServerError, match="Access denied"):
        sweep(wrong, Run.begin(prefix))
