"""What keeps tests apart that share a database: the ini option `mysql_isolation`. Needs pytest."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from throwaway_mysql import ServerError
from throwaway_mysql.plugin.report import say

if TYPE_CHECKING:
    from throwaway_mysql.databases.ownership import Run
    from throwaway_mysql.login import Login
    from throwaway_mysql.schemas.original import Original

WAYS = ("none", "delete")
ORIGINALS: pytest.StashKey[list[Original]] = pytest.StashKey()


def isolation(config: pytest.Config) -> str:
    """Return what is done between tests: the ini option `mysql_isolation`."""
    chosen = config.getini("mysql_isolation")
    if chosen not in WAYS:
        raise pytest.UsageError(f"mysql_isolation is '{chosen}': it must be one of none, delete")
    return str(chosen)


@contextmanager
def isolated(request: pytest.FixtureRequest, login: Login, name: str, run: Run) -> Iterator[None]:
    """Have the rows that a database has now be put back after each test of the block."""
    if isolation(request.config) == "none" or request.scope == "function":
        yield
        return
    from throwaway_mysql.schemas.original import Original

    originals = request.config.stash.setdefault(ORIGINALS, [])
    with Original(login, name, run) as original:
        originals.append(original)
        try:
            yield
        finally:
            originals.remove(original)


class Isolation:
    """The hook, for the plugin to register."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Iterator[None]:
        """Put rows back once the test's own fixtures are gone, in databases that go on."""
        __tracebackhide__ = True
        try:
            result = yield
        except BaseException:
            say(item.config, *_put_back(item))
            raise  # what the report of the test is to show
        if problems := list(_put_back(item)):
            pytest.fail("\n".join(problems), pytrace=False)
        return result


def _put_back(item: pytest.Item) -> Iterator[str]:
    """Put back the rows of all databases that go on; yield what keeps one from it."""
    # No test follows where it stops, and rows can be looked at: pytest has torn down all by then,
    # but for 8.2, which does so later.
    if item.session.shouldfail or item.session.shouldstop:
        return
    for original in item.config.stash.get(ORIGINALS, []):
        began = time.perf_counter()
        try:
            step = "rows: put back" if original.put_back() else "rows: unchanged"
            original.run.journal.add(step, time.perf_counter() - began, original.database)
        except ServerError as error:
            yield str(error)
