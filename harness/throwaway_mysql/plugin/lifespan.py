"""An app between its start and its end, as a server sees to it.

The specification: https://asgi.readthedocs.io/en/latest/specs/lifespan.html
"""

import asyncio
import inspect
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from throwaway_mysql import ServerError

Message = MutableMapping[str, Any]
State = dict[str, Any]
AsgiApp = Callable[..., Awaitable[None]]


class Lifespan:
    """An ASGI app's lifespan; what it leaves to requests comes into `state`.

    It has a task of its own, as fixtures may be set up and torn down in different ones.
    """

    def __init__(self, app: AsgiApp, state: State) -> None:
        self._app = app
        self._state = state
        self._told: asyncio.Queue[Message] = asyncio.Queue()
        self._said: asyncio.Queue[Message | None] = asyncio.Queue()
        self._heard = False

    async def startup(self) -> None:
        """Start the app; raises what it raises, or ServerError with what it says."""
        self._task = asyncio.create_task(self._run())
        try:
            await self._exchange("startup")
        except BaseException:
            await self._end()
            raise

    async def shutdown(self) -> None:
        """Shut the app down, unless it has ended, or does not know of lifespans."""
        try:
            if not self._task.done():
                await self._exchange("shutdown")
        finally:
            await self._end()

    async def _run(self) -> None:
        about = {"version": "3.0", "spec_version": "2.0"}
        scope = {"type": "lifespan", "asgi": about, "state": self._state}
        try:
            await self._app(scope, self._hear, self._said.put)
        finally:
            self._said.put_nowait(None)

    async def _hear(self) -> Message:
        message = await self._told.get()
        self._heard = True
        return message

    async def _exchange(self, step: str) -> None:
        """Tell the app, and wait for its answer, or for its end without one."""
        self._told.put_nowait({"type": f"lifespan.{step}"})
        answer = await self._said.get()
        if answer is None and not self._heard:
            await self._end()  # whatever it raised: it does not know of lifespans
        elif answer is None:
            await self._task
        elif answer["type"] == f"lifespan.{step}.failed":
            if self._task.done():  # by an exception, perhaps, which tells more
                await self._task
            raise ServerError(f"the app's {step} failed: {answer.get('message', '')}")

    async def _end(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await self._task


class WithState:
    """An ASGI app whose requests get a copy of what its lifespan left for them."""

    def __init__(self, app: AsgiApp, state: State) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Message, *channel: Any) -> None:
        """Hand a request on."""
        await self._app({**scope, "state": self._state.copy()}, *channel)


def is_asgi(app: Callable[..., Any]) -> bool:
    """Tell an ASGI app, called with (scope, receive, send), from a WSGI app, which has two."""
    call = getattr(app, "__call__", None)  # noqa: B004 (what it is, not whether)
    if inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(call):
        return True
    return len(inspect.signature(app).parameters) == 3


@asynccontextmanager
async def running(app: Any, state: State) -> AsyncIterator[None]:
    """Start an app before the block and shut it down after it, in one event loop."""
    quart = sys.modules.get("quart")
    # Through a lifespan, Quart tells only of a start's exception that there was one.
    own = quart and isinstance(app, quart.Quart)
    lifespan = app if own else Lifespan(app, state)
    print("Starting app")
    await lifespan.startup()
    try:
        yield
    finally:
        print("Closing down app")
        await lifespan.shutdown()
