"""In which event loop a fixture has to be: that of the tests that use it.

Two plugins run tests in loops, pytest-asyncio and anyio's. Only what they document is used:
their marks, ini options and the fixture `anyio_backend`.
"""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NoReturn

import pytest

from throwaway_mysql.plugin.fixtures import Scope

Plugin = Literal["asyncio", "anyio"]
WIDER = ("function", "class", "module", "package", "session")  # each than the one before
FIXTURES, TESTS = "asyncio_default_fixture_loop_scope", "asyncio_default_test_loop_scope"

# Fixtures that are of one event loop, each with a method that has to be awaited there if any has.
AWAITED = {"create_test_client": "get", "db_connection": "execute"}


def in_loop(request: pytest.FixtureRequest, name: str, scope: Scope) -> Any:
    """Return the value of the async fixture `_{name}_by_{plugin}`.

    `name` is the fixture that tests ask for, of that scope. Fails with one line where there
    is no plugin, or where a test that asks for it would run in another loop.
    """
    plugin = _plugin(request, name)
    if plugin == "asyncio":
        _check_loop_scopes(request, name, scope)
    else:
        _check_backend(request, name)
    return request.getfixturevalue(f"_{name}_by_{plugin}")


def _plugin(request: pytest.FixtureRequest, name: str) -> Plugin:
    tests = _async_tests(request, name)
    anyios = [test.name for test in tests if "anyio_backend" in test.fixturenames]
    asyncios = [test.name for test in tests if test.get_closest_marker("asyncio")]
    if anyios and asyncios:
        _fail(
            f"{name} cannot be in the loops of both anyio ({anyios[0]}) and pytest-asyncio "
            f"({asyncios[0]}): mark these tests for one of them, with asyncio_mode = strict"
        )
    has_plugin = request.config.pluginmanager.has_plugin
    if has_plugin("asyncio") and not anyios:
        return "asyncio"
    if not has_plugin("anyio"):
        _fail(f"{name} needs an event loop: pip install pytest-asyncio (or anyio)")
    return "anyio"


def _async_tests(request: pytest.FixtureRequest, name: str) -> Sequence[pytest.Function]:
    """Return the async tests that a fixture of this request's scope serves."""
    return [
        test
        for test in request.session.items
        if isinstance(test, pytest.Function)
        and name in test.fixturenames
        and inspect.iscoroutinefunction(test.function)
        and request.node in test.listchain()
    ]


def _check_loop_scopes(request: pytest.FixtureRequest, name: str, scope: Scope) -> None:
    own = str(request.config.getini(FIXTURES) or scope)
    own = scope if own == "fixture-scope" else own
    for test in _async_tests(request, name):
        mark = test.get_closest_marker("asyncio")
        theirs = (mark and mark.kwargs.get("loop_scope")) or str(request.config.getini(TESTS))
        widest = max(scope, own, theirs, key=WIDER.index)
        if mark and (theirs != own or own != max(scope, own, key=WIDER.index)):
            _fail(
                f"{test.name} has a {theirs}'s event loop, {name} a {own}'s: set {TESTS} = "
                f"{widest} (or the mark's loop_scope) and {FIXTURES} = {widest}"
            )


def _check_backend(request: pytest.FixtureRequest, name: str) -> None:
    try:
        backend = request.getfixturevalue("anyio_backend")
    except pytest.fail.Exception:  # of a narrower scope, or with parameters that a test lacks
        backend = "another"
    if (backend if isinstance(backend, str) else backend[0]) != "asyncio":
        _fail(
            f"{name} needs a fixture anyio_backend that returns 'asyncio', which MySQL's drivers "
            f"are made for, with scope='{request.scope}'"
        )


@contextmanager
def missing_await_told(test: pytest.Item) -> Iterator[None]:
    """Fail a test that is not async and takes itself what has to be awaited, before it runs.

    Of an AsyncEngine, which works in any loop, so that the test may bring one, it is told only
    where the test fails by that.
    """
    if not isinstance(test, pytest.Function) or _is_async(test.function):
        yield
        return
    taken = {name: test.funcargs.get(name) for name in inspect.signature(test.function).parameters}
    for name, value in taken.items():
        method = getattr(value, AWAITED.get(name, ""), None)
        if inspect.iscoroutinefunction(method):
            call = f"{name}.{method.__name__}()"
            _fail(f"{test.name} is not async, and {call} has to be awaited: make it `async def`")
    try:
        yield
    except (AttributeError, TypeError) as error:
        if hasattr(taken.get("db_engine"), "sync_engine") and "Async" in str(error):
            error.add_note("db_engine is an AsyncEngine: make the test `async def`")
        raise


def _is_async(function: Callable[..., object]) -> bool:
    """Tell whether it is, or wraps one that is, as Hypothesis and decorators of projects do."""
    inner = getattr(getattr(function, "hypothesis", None), "inner_test", function)
    return inspect.iscoroutinefunction(inspect.unwrap(inner))


def _fail(line: str) -> NoReturn:
    pytest.fail(line, pytrace=False)
