"""An app's start and its end: any ASGI app's, and what the specification leaves open."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from flask import Flask
from quart import Quart

from throwaway_mysql import ServerError
from throwaway_mysql.plugin.lifespan import Lifespan, WithState, is_asgi, running

Channel = Callable[..., Any]
App = Callable[[Any, Channel, Channel], Any]


def app_that(answers: dict[str, Any], seen: list[str], wait: bool = False) -> App:  # noqa: FBT001, FBT002 (a test's own)
    """Return an app that answers each step with that message, or raises it."""

    async def app(scope: Any, receive: Channel, send: Channel) -> None:
        assert (scope["type"], scope["asgi"]["version"]) == ("lifespan", "3.0")
        scope["state"]["pool"] = "a pool"
        for step in ("startup", "shutdown"):
            message = await receive()
            seen.append(message["type"])
            answer = answers.get(step, {"type": f"lifespan.{step}.complete"})
            if isinstance(answer, Exception):
                raise answer
            await send(answer)
        while wait:
            seen.append((await receive())["type"])

    return app


@pytest.mark.parametrize("wait", [False, True])
async def test_an_app_is_started_and_shut_down(*, wait: bool) -> None:
    seen: list[str] = []
    state: dict[str, Any] = {}
    async with running(app_that({}, seen, wait), state):
        assert seen == ["lifespan.startup"]
        assert state == {"pool": "a pool"}
    assert seen == ["lifespan.startup", "lifespan.shutdown"]
    assert len(asyncio.all_tasks()) == 1  # this test's own


async def test_it_is_shut_down_in_another_task() -> None:
    seen: list[str] = []
    lifespan = Lifespan(app_that({}, seen), {})
    await asyncio.create_task(lifespan.startup())
    await asyncio.create_task(lifespan.shutdown())
    assert seen == ["lifespan.startup", "lifespan.shutdown"]


async def both(lifespan: Lifespan) -> None:
    """Start the app and shut it down."""
    await lifespan.startup()
    await lifespan.shutdown()


async def refuses(scope: Any, _receive: Channel, _send: Channel) -> None:
    """Raise at any lifespan, as the specification lets an app do that knows none."""
    raise ValueError(scope["type"])


async def returns(_scope: Any, _receive: Channel, _send: Channel) -> None:
    """Return at once."""


@pytest.mark.parametrize("app", [refuses, returns])
async def test_an_app_that_knows_no_lifespan_is_fine(app: App) -> None:
    async with running(app, {}):
        pass
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize("wait", [False, True])
@pytest.mark.parametrize("step", ["startup", "shutdown"])
async def test_a_step_that_failed_is_one_line(step: str, *, wait: bool) -> None:
    failed = {"type": f"lifespan.{step}.failed", "message": "no cache"}
    lifespan = Lifespan(app_that({step: failed}, [], wait), {})
    with pytest.raises(ServerError, match=f"^the app's {step} failed: no cache$"):
        await both(lifespan)
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize("step", ["startup", "shutdown"])
async def test_an_exception_is_seen_whole(step: str) -> None:
    lifespan = Lifespan(app_that({step: LookupError("no cache")}, []), {})
    with pytest.raises(LookupError, match="no cache"):
        await both(lifespan)


@pytest.mark.parametrize("step", ["startup", "shutdown"])
async def test_an_exception_of_fastapi_is_seen_whole(step: str) -> None:
    async def lifespan(_app: FastAPI) -> Any:
        if step == "startup":
            raise LookupError("no cache")
        yield
        raise LookupError("no cache")

    from contextlib import asynccontextmanager

    app = FastAPI(lifespan=asynccontextmanager(lifespan))
    with pytest.raises(LookupError, match="no cache"):
        async with running(app, {}):
            assert step == "shutdown"


async def test_an_exception_of_quart_is_seen_whole() -> None:
    app = Quart(__name__)

    @app.before_serving
    async def fail() -> None:
        raise LookupError("no cache")

    with pytest.raises(LookupError, match="no cache"):
        async with running(app, {}):
            pass


async def test_a_request_gets_a_copy_of_the_state() -> None:
    got: list[Any] = []

    async def app(scope: Any, *_: Any) -> None:
        got.append(scope)
        scope["state"]["mine"] = 1

    state = {"pool": "a pool"}
    with_state = WithState(app, state)
    await with_state({"type": "http"})
    assert got == [{"type": "http", "state": {"pool": "a pool", "mine": 1}}]
    assert state == {"pool": "a pool"}


def wrapped(scope: Any, receive: Channel, send: Channel) -> Any:
    """Hand on to an ASGI app, as middleware does that is no coroutine function itself."""
    return refuses(scope, receive, send)


def wsgi(_environ: Any, _start_response: Any) -> list[bytes]:
    """Do as a WSGI app."""
    return []


@pytest.mark.parametrize("app", [refuses, wrapped, WithState(refuses, {}), FastAPI(), Quart("it")])
def test_an_asgi_app_is_known(app: App) -> None:
    assert is_asgi(app)


@pytest.mark.parametrize("app", [wsgi, Flask("it")])
def test_a_wsgi_app_is_none(app: Callable[..., Any]) -> None:
    assert not is_asgi(app)
