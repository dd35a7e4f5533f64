"""A database's owner, from the name alone."""

import os
import subprocess
import sys

import pytest

from throwaway_mysql import owner
from throwaway_mysql.errors import ServerError
from throwaway_mysql.owner import NUMBERS, Owner, parse

ME = Owner.me()
SOME = Owner(1_700_000_000, "0123abcd", 2, 3).name("shop_test_", 1)


def test_a_name_says_who_made_the_database() -> None:
    assert parse(ME.name("shop_test_", 7), "shop_test_") == ME
    huge = Owner(36**6 - 1, "ffffffff", 36**5 - 1, 36**7 - 1)
    longest = huge.name("p" * 29 + "_", NUMBERS - 1)
    assert len(longest) == 64
    assert parse(longest, "p" * 29 + "_") == huge
    assert parse(Owner(0, "00000000", 0, 0).name("a_", 0), "a_") == (0, "00000000", 0, 0)


@pytest.mark.parametrize(
    "name",
    [
        *("shop", "shop_test_1", "other_" + SOME, SOME + "_old", SOME.upper(), SOME + "\n"),
        "shop_test_" + SOME,
    ],
)
def test_no_other_name_is_taken_for_one_of_ours(name: str) -> None:
    assert parse(name, "shop_test_") is None


@pytest.mark.parametrize("prefix", ["", "_", "shop", "Shop_", "shop-2_", "p" * 30 + "_", "a%_"])
def test_a_prefix_that_cannot_be_one_is_one_clear_error(prefix: str) -> None:
    with pytest.raises(ServerError, match="choose 2 to 30 small letters"):
        ME.name(prefix, 1)


def test_a_process_of_this_machine_lives_until_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    argv = [sys.executable, "-c", "input()"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE) as child:
        started = owner._started(child.pid) or 0  # noqa: SLF001
        one = ME._replace(begun=0, pid=child.pid, started=started)
        another = one._replace(started=started - 1)  # an earlier process with the same id
        assert one.lives
        assert not another.lives
        with monkeypatch.context() as patch:  # when the process is hidden

            def refuse(*_: int) -> None:
                raise PermissionError

            patch.setattr(os, "kill", refuse)
            patch.setattr(owner, "_started", lambda _: None)
            assert another.lives
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not one.lives  # though its parent has not reaped it
    assert not one.lives
