"""What the report of a failed comparison shows of secrets: not their text, line by line."""

from collections.abc import Iterable

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Show both sides as their repr has them, where one has a string that hides itself."""
    return [f"{left!r} {op} {right!r}"] if _hides(left) or _hides(right) else None


def _hides(value: object) -> bool:
    """Look as deep as pytest does, which compares objects field by field."""
    from throwaway_mysql.masked import Hidden, HiddenBytes

    seen, unseen = {}, [value]
    while unseen:
        part = unseen.pop()
        if isinstance(part, Hidden | HiddenBytes):
            return True
        if id(part) not in seen:
            seen[id(part)] = part
            unseen += _fields(part)
    return False


def _fields(value: object) -> Iterable[object]:
    kind = type(value)
    if isinstance(value, tuple):
        return value if hasattr(kind, "_fields") else ()
    attrs = (field.name for field in getattr(kind, "__attrs_attrs__", ()))
    names = [*getattr(kind, "__dataclass_fields__", ()), *attrs]
    return [getattr(value, name, None) for name in names]
