"""Which databases stay after their tests: the option `--db-keep`. Needs pytest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

TORN: pytest.StashKey[list[BaseException]] = pytest.StashKey()


def failures(session: pytest.Session) -> int:
    """Return how many there are so far: it has grown where a test has failed since."""
    return session.testsfailed + len(session.config.stash.get(TORN, []))


def is_kept(session: pytest.Session, failures_before: int) -> bool:
    """Tell whether a database stays that was made when there were so many failures."""
    chosen = session.config.getoption("--db-keep")
    return chosen == "all" or (chosen == "failed" and failures(session) > failures_before)


class TearDown:
    """The hook, for the plugin to register: it notes what fixtures raise when they are torn down.

    A database is dropped after the fixtures that are built on it, and within the same tear-down
    of a test, which pytest counts as failed only when all is done.
    """

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Iterator[None]:
        """Have each finalizer of the fixture noted, be it added now or by a test."""
        __tracebackhide__ = True
        torn = request.config.stash.setdefault(TORN, [])
        add = partial(type(fixturedef).addfinalizer, fixturedef)
        fixturedef.addfinalizer = lambda finalizer: add(partial(_note, torn, finalizer))  # type: ignore[method-assign]  # no hook sees them
        return (yield)


def _note(torn: list[BaseException], finalizer: Callable[[], object]) -> None:
    __tracebackhide__ = True
    try:
        finalizer()
    except (Exception, pytest.fail.Exception) as error:  # not Ctrl-C
        torn.append(error)
        raise
