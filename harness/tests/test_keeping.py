"""Databases of tests that fail in tear-down are kept as well."""

import re
from collections.abc import Callable
from typing import Any

import pytest

Names = Callable[[], list[str]]

WELL = """
def test_it(create_db):
    pass
"""
# Its last test, which names its database, fails in tear-down.
NAMES = """
import pytest

@pytest.fixture
def named(create_db):
    print("named", create_db.name, flush=True)

@pytest.fixture
def adds_later(request, create_db):
    return request.addfinalizer

def fail():
    raise LookupError("of its own")

def test_it(create_db):
    pass
"""
YIELDS = """
@pytest.fixture
def broken(create_db):
    yield
    fail()

def test_another(named, broken):
    pass
"""
ADDS = """
def test_another(named, adds_later):
    adds_later(fail)
"""


@pytest.mark.parametrize("scope", ["test", "module", "session"])
@pytest.mark.parametrize("fails", [YIELDS, ADDS], ids=["yields", "adds"])
def test_it_is_kept(project: Any, there: Names, scope: str, fails: str) -> None:
    setting = f"mysql_database={scope}"
    result = project.run("--db-keep=failed", "-o", setting, a=WELL, b=NAMES + fails)
    result.assert_outcomes(passed=3, errors=1)
    assert re.findall(r"named (\S+)", result.stdout.str()) == there()


def test_it_is_kept_by_a_worker_of_xdist(project: Any, there: Names) -> None:
    result = project.run("-n2", "--db-keep=failed", a=WELL, b=NAMES + YIELDS)
    result.assert_outcomes(passed=3, errors=1)
    (kept,) = there()
    result.stdout.fnmatch_lines([f"kept: mysql://*/{kept}*"])


def test_it_is_dropped_after_ctrl_c(project: Any, there: Names) -> None:
    interrupted = NAMES.replace('LookupError("of its own")', "KeyboardInterrupt") + YIELDS
    result = project.spawn("--db-keep=failed", it=interrupted)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert there() == []
