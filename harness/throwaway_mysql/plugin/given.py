"""What a project's own fixtures give, checked: where it is a wrong thing, one line says so."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from throwaway_mysql import ServerError

if TYPE_CHECKING:
    from throwaway_mysql.login import Login
    from throwaway_mysql.schemas.schema import Schema


def logins(given: Sequence[Login] | Login) -> Sequence[Login]:
    """Return what `mysql_configured` gives, one Login or several, as a list."""
    from throwaway_mysql.login import Login

    many = list(given) if isinstance(given, Iterable) else [given]
    for login in many:
        if not isinstance(login, Login):
            _refuse("mysql_configured", "Logins, the best first", login)
    return many


def schema(given: Schema | None) -> Schema | None:
    """Return what `mysql_schema` gives."""
    made = not isinstance(given, type) and hasattr(given, "key") and hasattr(given, "make")
    if given is not None and not made:
        _refuse("mysql_schema", "an AlembicSchema, a CallableSchema or None", given)
    return given


def names(given: Collection[str] | str) -> Collection[str]:
    """Return what `mysql_spared` gives, one name or several."""
    return [given] if isinstance(given, str) else given


def _refuse(fixture: str, wanted: str, given: object) -> None:
    kind = f"the class {given.__name__}" if isinstance(given, type) else type(given).__name__
    raise ServerError(f"the fixture {fixture} must give {wanted}, not {kind}")
