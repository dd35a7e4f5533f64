"""Whose a database is, by its name alone."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from throwaway_mysql import owner
from throwaway_mysql.errors import ServerError
from throwaway_mysql.owner import DAY, NUMBERS, Liveness, Owner, parse

NOW = 1_700_000_000
ME = Owner.me()
SOME = Owner(NOW, "0123abcd", 2, 3)


@pytest.fixture
def child() -> Iterator["subprocess.Popen[bytes]"]:
    """Return a process that runs until its input ends."""
    argv = [sys.executable, "-c", "input()"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def of(process: "subprocess.Popen[bytes]") -> Owner:
    return ME._replace(pid=process.pid, started=owner._started(process.pid) or 0)  # noqa: SLF001


def test_a_name_says_who_made_the_database() -> None:
    assert parse(ME.name("shop_test_", 7), "shop_test_") == ME
    assert parse(ME.name("p" * 29 + "_", NUMBERS - 1), "p" * 29 + "_") == ME
    huge = Owner(36**6 - 1, "ffffffff", 36**5 - 1, 36**7 - 1)
    assert len(huge.name("p" * 29 + "_", NUMBERS - 1)) == 64
    assert parse(huge.name("a_", 0), "a_") == huge
    assert parse(Owner(0, "00000000", 0, 0).name("a_", 0), "a_") == (0, "00000000", 0, 0)


@pytest.mark.parametrize(
    "name",
    [
        "shop",
        "shop_test_1",
        "other_" + SOME.name("shop_test_", 1),
        SOME.name("shop_test_", 1) + "_old",
        SOME.name("shop_test_", 1).upper(),
        "shop_test_" + SOME.name("shop_test_", 1),
        SOME.name("shop_test_", 1) + "\n",
    ],
)
def test_no_other_name_is_taken_for_one_of_ours(name: str) -> None:
    assert parse(name, "shop_test_") is None


@pytest.mark.parametrize("prefix", ["", "_", "shop", "Shop_", "shop-2_", "p" * 30 + "_", "a%_"])
def test_a_prefix_that_cannot_be_one_is_one_clear_error(prefix: str) -> None:
    with pytest.raises(ServerError, match="choose 2 to 30 small letters"):
        ME.name(prefix, 1)


def test_a_process_of_this_machine_lives_until_it_ends(child: "subprocess.Popen[bytes]") -> None:
    one = of(child)
    assert one.state(NOW) is one.state(NOW + 1000 * DAY) is Liveness.LIVE
    assert one._replace(begun=0).state(NOW) is Liveness.LIVE
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert one.state(NOW) is Liveness.LEFT  # though its parent has not asked for it
    child.wait()
    assert one.state(NOW) is Liveness.LEFT


def test_another_process_with_the_same_id_is_another(child: "subprocess.Popen[bytes]") -> None:
    one = of(child)
    assert one._replace(started=one.started - 1).state(NOW) is Liveness.LEFT


def test_a_process_that_may_not_be_seen_lives(
    child: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError

    one = of(child)._replace(started=1)
    monkeypatch.setattr(os, "kill", refuse)
    monkeypatch.setattr(owner, "_started", lambda _: None)  # as where /proc hides it
    assert one.state(NOW) is Liveness.LIVE


def test_one_of_another_machine_is_left_after_a_day_by_the_servers_clock() -> None:
    one = Owner(NOW, "00000000", os.getpid(), ME.started)
    assert one.state(NOW + DAY - 1) is one.state(NOW - 5) is Liveness.UNSURE
    assert one.state(NOW + DAY) is Liveness.LEFT


def test_when_this_process_began_is_what_the_kernel_says(monkeypatch: pytest.MonkeyPatch) -> None:
    before = time.time()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    owner._of.cache_clear()  # noqa: SLF001
    again = Owner.me()
    assert again[1:] == ME[1:]
    assert abs(again.begun - ME.begun) <= 1  # the kernel's clock is set now and then
    assert 0 <= before - ME.begun < DAY


def test_a_fork_is_a_process_of_its_own() -> None:
    reading, writing = os.pipe()
    if not (pid := os.fork()):
        os.write(writing, repr(Owner.me()).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    os.close(writing)
    with os.fdopen(reading) as output:
        assert output.read().startswith("Owner(begun=")
    assert Owner.me() == ME
