"""Secrets, and mappings with them, that a failed test's report may show."""

from typing import Any, Self

SECRET = ("PASSWORD", "PASSWD", "_PWD", "SECRET", "URI", "TOKEN", "KEY")


class Hidden(str):
    """A string whose repr, which pytest prints for a failed test, does not show it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> "HiddenBytes":
        """Return what drivers make of a password: it is in their frames."""
        return HiddenBytes(super().encode(encoding, errors))


class HiddenBytes(bytes):
    """What Hidden is for strings.

    A sum that begins with it is plain: asyncmy sends nothing else.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "b'***'"

    def __radd__(self, other: bytes) -> "HiddenBytes":
        """Hide `NAME=` and a value, as subprocess has them in its frames."""
        return HiddenBytes(other + bytes(self))

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> Hidden:
        """Return a string that hides itself, too."""
        return Hidden(super().decode(encoding, errors))


class Masked(dict[str, Any]):
    """A dict whose repr shows no secret values, and which stays one where it is merged.

    The values hide themselves, so that a plain dict made of it does not show them either.
    """

    def __init__(self, *args: Any, **values: Any) -> None:
        given = dict(*args, **values)
        super().__init__({name: _hidden(name, value) for name, value in given.items()})

    def __repr__(self) -> str:
        return repr({name: "***" if _is_secret(name) else value for name, value in self.items()})

    def __or__(self, other: Any, /) -> Self:  # type: ignore[override]  # its names are str
        return type(self)({**self, **other}) if isinstance(other, dict) else NotImplemented

    def __ror__(self, other: Any, /) -> Self:  # type: ignore[override]  # its names are str
        return type(self)({**other, **self}) if isinstance(other, dict) else NotImplemented

    def copy(self) -> Self:
        """Return a copy that is masked as well."""
        return type(self)(self)


def _is_secret(name: str) -> bool:
    return any(word in name.upper() for word in SECRET)


def _hidden(name: str, value: Any) -> Any:
    return Hidden(value) if isinstance(value, str) and _is_secret(name) else value
