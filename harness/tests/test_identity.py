"""The names of throwaway databases, and whether the process that made one still runs."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from throwaway_mysql import ServerError
from throwaway_mysql.databases.identity import MOST_PREFIX, Maker, Name, parse
from throwaway_mysql.databases.ownership import Run
from throwaway_mysql.testing.looking import wait_until

TOKEN = "261121193551_a1b2c3"  # noqa: S105 (no secret)
NAME = f"shop_test_{TOKEN}_gw1_7"


def test_a_name_tells_whose_it_is_and_since_when() -> None:
    name = parse(NAME, "shop_test_")
    assert name == Name("shop_test_", TOKEN, "gw1", 7)
    assert str(name) == NAME
    assert name.begun == datetime(2026, 11, 21, 19, 35, 51, tzinfo=UTC)


@pytest.mark.parametrize(
    "name",
    [
        "shop_test_",
        "shop_test_mine",
        "shop_test_261121193551_a1b2c3",
        f"shop_test_{TOKEN}_gw1",
        f"shop_test_{TOKEN}_gw1_0",
        f"shop_test_{TOKEN}_gw1_7_copy",
        f"my_shop_test_{TOKEN}_gw1_7",
        f"shop_{TOKEN}_gw1_7",
        f"{TOKEN}_gw1_7",
        f"Shop_test_{TOKEN}_gw1_7",
        "shop_test_261321193551_a1b2c3_gw1_7",
    ],
)
def test_any_other_name_is_not_ours(name: str) -> None:
    assert parse(name, "shop_test_") is None


def test_the_last_name_of_the_longest_prefix_fits() -> None:
    prefix = "p" * (MOST_PREFIX - 1) + "_"
    name = Name(prefix, TOKEN, "gw999", 99_999)
    assert len(str(name)) == 64
    assert len(name.lock) <= 64
    assert parse(str(name), prefix) == name


@pytest.mark.parametrize(
    "prefix",
    ["", "_", "shop", "p" * MOST_PREFIX + "_", "Shop_test_", "é_test_", "my-shop_", "a_\n"],
)
def test_a_prefix_that_does_not_do_is_refused(prefix: str) -> None:
    with pytest.raises(
        ServerError, match=r"choose 2 to 33 small letters .*, the last a '_'$"
    ) as error:
        Run.begin(prefix)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("worker", "token"), [("GW1", TOKEN), ("", TOKEN), ("gw1", "abc")])
def test_a_worker_that_would_not_be_recognised_is_refused(worker: str, token: str) -> None:
    with pytest.raises(ServerError, match="does not name a run"):
        Run.begin("shop_test_", worker, token)


def test_a_run_begins_now_and_is_none_of_the_others() -> None:
    one, other = Run.begin("shop_test_"), Run.begin("shop_test_")
    assert one.token != other.token
    name = parse(one.next_name(), "shop_test_")
    assert name
    assert timedelta(0) <= datetime.now(UTC) - name.begun < timedelta(minutes=1)


def test_a_worker_joins_its_run() -> None:
    run = Run.begin("shop_test_")
    names = [Run.begin("shop_test_", worker, run.token).next_name() for worker in ("gw0", "gw1")]
    assert names == [f"shop_test_{run.token}_{worker}_1" for worker in ("gw0", "gw1")]


def test_this_process_runs_here() -> None:
    assert Maker.me().here
    assert Maker.me().runs


def test_one_that_has_its_number_again_is_another() -> None:
    me = Maker.me()
    assert not me._replace(started=me.started - 1).runs


def test_one_of_another_user_runs() -> None:
    first = Maker.of(1)
    assert first.runs
    may_know = os.access("/proc/1/stat", os.R_OK)  # else it is hidden: proc(5), hidepid
    assert first._replace(started=first.started + 1).runs is not may_know


def test_one_that_was_killed_has_ended_though_its_parent_does_not_know() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        maker = Maker.of(process.pid)
        assert maker.runs
        process.kill()
        wait_until(lambda: not maker.runs)
        process.returncode = None  # so far nobody has asked for it
    assert not maker.runs


def test_a_process_elsewhere_is_not_here() -> None:
    assert not Maker("elsewhere", 1, 1).here
    assert not Maker("", 1, 1).here
