"""Sweeps: several at once, after restarts and kills, on odd servers."""

import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import pytest

from throwaway_mysql import ServerError
from throwaway_mysql.databases.database import throwaway_database
from throwaway_mysql.databases.identity import Maker, lock_of
from throwaway_mysql.databases.ownership import Run
from throwaway_mysql.databases.place import Place
from throwaway_mysql.databases.sweep import Swept, survey, sweep
from throwaway_mysql.databases.verdict import State
from throwaway_mysql.login import Login
from throwaway_mysql.servers.run import RunServer
from throwaway_mysql.testing.looking import databases, unused, wait_until
from throwaway_mysql.testing.scene import Scene

Start = Callable[..., tuple["subprocess.Popen[str]", str]]


@pytest.fixture(scope="module")
def server(mysql_program: str) -> Iterator[RunServer]:
    """Start a server that tests restart."""
    with closing(RunServer(mysql_program)) as server:
        yield server


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


def test_one_that_someone_has_locked_stays_and_does_not_save_the_others(
    mysql_root: Login, scene: Scene, gone: Maker
) -> None:
    stuck, other = scene.marked(gone), scene.marked(gone)
    with Place(mysql_root) as persons:
        persons.rows("BEGIN")
        persons.rows(f"SELECT * FROM {stuck}.t")
        swept = sweep(scene.login, scene.run)
        persons.rows("COMMIT")
    assert swept.dropped == [other]
    (verdict,) = swept.stay
    assert (verdict.name, verdict.state) == (stuck, State.LIVE)
    assert verdict.reason.endswith(" has locks in it")
    assert scene.goes(stuck)


@pytest.mark.parametrize("account", ["narrow"], indirect=True)
def test_what_another_account_uses_stays_with_the_privilege_process_only(
    mysql_root: Login, scene: Scene, gone: Maker
) -> None:
    name = scene.marked(gone)
    with Place(mysql_root) as persons, Place(mysql_root) as root:
        persons.connection.select_db(name)
        root.rows(f"GRANT PROCESS ON *.* TO {scene.login.user}")
        assert scene.stays(name, f"connection {persons.id} of {mysql_root.user}@")
        root.rows(f"REVOKE PROCESS ON *.* FROM {scene.login.user}")
        assert scene.goes(name)


def test_a_live_run_keeps_its_own_though_a_restart_freed_its_lock(
    server: RunServer, start_run: Start
) -> None:
    process, name = start_run(server.root, "restart_test_")
    run = Run.begin("restart_test_")
    process.send_signal(signal.SIGSTOP)  # else it has its lock again at once
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


def test_what_a_killed_run_left_goes(account: Login, prefix: str, start_run: Start) -> None:
    process, name = start_run(account, prefix)
    run = Run.begin(prefix)
    assert sweep(account, run).dropped == []
    assert name in databases(account)
    process.kill()
    process.wait()
    wait_until(lambda: unused(account, name, prefix))
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
        scene = Scene(server.root, "shop_test_")
        live = scene.marked(Maker.me())
        assert scene.stays(live, "runs")
        assert scene.goes(scene.marked(gone))
        with closing(scene.run), throwaway_database(server.root, "", scene.run) as coordinates:
            assert coordinates["DATABASE_NAME"] in databases(server.root)
        assert databases(server.root) & {live, coordinates["DATABASE_NAME"]} == {live}
        scene.place.close()


def test_a_login_that_fails_is_one_clear_error(mysql_root: Login, prefix: str) -> None:
    wrong = replace(mysql_root, password="wrong")  # noqa: S106
    with pytest.raises(ServerError, match="Access denied"):
        sweep(wrong, Run.begin(prefix))
