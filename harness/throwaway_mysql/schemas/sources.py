"""What tells a callable from others without calling it: its name, files, code, plain values."""

import inspect
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import CellType
from typing import Any

from throwaway_mysql.schemas.codes import PLAIN, code_of, told

# Where a callable has values that its file does not tell.
MORE = ("__closure__", "__self__", "__wrapped__", "__defaults__", "__kwdefaults__")
Seen = dict[int, object]  # by id(), which is theirs as long as they are kept


def is_told(step: object) -> bool:
    """Tell whether a callable is what its name and its file's content say, and nothing more."""
    if not (inspect.isroutine(step) or inspect.isclass(step)) or not _content(step):
        return False
    return not any(getattr(step, name, None) for name in MORE)


def sources(step: object) -> list[str] | None:
    """Return what is known of a callable: names, the contents of files, code, plain values.

    It is looked into closures, partials, defaults, and what is bound or wrapped. Of another
    object there is its class. Returns None where no file of all that is found.
    """
    seen: Seen = {}
    found = list(_walk(step, seen))
    return found if any(map(_content, seen.values())) else None


def _walk(thing: object, seen: Seen) -> Iterator[str]:
    if isinstance(thing, PLAIN):
        yield told(thing)
        return
    if id(thing) in seen:  # as a function is in its own closure
        yield "again"
        return
    seen[id(thing)] = thing
    parts = list(_parts(thing))
    yield f"{_named(thing).__qualname__} of {len(parts)}"
    yield _content(thing)
    yield code_of(_named(thing))
    for part in parts:
        yield from _walk(part, seen)


def _parts(thing: object) -> Iterator[object]:
    """Yield what a thing is made of, as far as it can be told; a set has no order."""
    match thing:
        case partial():
            yield from (thing.func, thing.args, thing.keywords)
        case tuple() | list():
            yield from thing
        case dict():
            yield from thing.items()
        case CellType():
            if thing != CellType():  # it may be empty yet
                yield thing.cell_contents
        case type():
            own = [value for name, value in sorted(vars(thing).items()) if name[:2] != "__"]
            yield from (value for value in own if isinstance(value, PLAIN))
            yield from thing.__bases__
        case _ if inspect.isroutine(thing):
            yield from (getattr(thing, name, None) for name in MORE)


def _named(thing: object) -> Any:
    """Return what has a name and may have a file: the thing, or else its class."""
    own = (inspect.isfunction, inspect.ismethod, inspect.isbuiltin, inspect.isclass)
    return thing if any(kind(thing) for kind in own) else type(thing)


def _content(thing: object) -> str:
    """Return the content of the file that a thing is written in, "" where there is none."""
    named = _named(thing)
    if named.__module__ == partial.__module__:  # a wrapper that tells nothing of what it wraps
        return ""
    try:
        return Path(inspect.getsourcefile(named) or "").read_text(encoding="utf-8")
    except (TypeError, OSError):  # built in, or typed in a shell
        return ""
