"""What tells the code of a callable from that of others in its file, alike in each process.

Of the same file, two lambdas in a dict or the branches of an `if` have one qualified name.
"""

import hashlib
import inspect
from collections.abc import Iterator
from pathlib import PurePath
from types import CodeType, EllipsisType

PLAIN = (str, bytes, int, float, complex, PurePath, type(None), EllipsisType)
# What decides, besides its constants, what a code does; where its file is does not.
DECISIVE = (
    *("co_firstlineno", "co_flags", "co_argcount", "co_posonlyargcount", "co_kwonlyargcount"),
    *("co_code", "co_exceptiontable", "co_names", "co_varnames", "co_freevars", "co_cellvars"),
)


def told(value: object) -> str:
    """Return text that tells a value, such as a code or its constants, from others.

    No address and no order of a set is in it. Of what is neither plain nor made of what is, there
    is only its type.
    """
    match value:
        case CodeType():
            parts = [repr(getattr(value, name)) for name in DECISIVE]
            parts += map(told, value.co_consts)
        case tuple():
            parts = list(map(told, value))
        case frozenset():
            parts = sorted(map(told, value))
        case slice():  # a constant since Python 3.14
            parts = list(map(told, (value.start, value.stop, value.step)))
        case _:
            plain = repr(value) if isinstance(value, PLAIN) else ""
            return f"{type(value).__name__} {plain}"
    return hashlib.sha256(repr([type(value).__name__, *parts]).encode()).hexdigest()


def code_of(thing: object) -> str:
    """Return text that tells the code of a function, or of all that a class has, from others."""
    if not inspect.isclass(thing):
        return told(getattr(thing, "__code__", None))
    return told(tuple(member for base in thing.__mro__ for member in _members(base)))


def _members(kind: type) -> Iterator[tuple[str, object]]:
    """Yield the codes of a class by name, but for generated ones, which may come at any time."""
    for name, value in sorted(vars(kind).items()):
        method = inspect.unwrap(getattr(value, "__func__", value))
        code = getattr(method, "__code__", None)
        if isinstance(code, CodeType) and not code.co_filename.startswith("<"):
            yield name, code
