"""The marker inside a throwaway database: which one it is, and who made it.

A view of constants, as a table would be one that Alembic's autogenerate wants to remove. It
is read as text and never executed: whoever sweeps may have more rights than whoever wrote it.

CREATE DATABASE itself leaves a sign as well, as a run may be killed before it made the view: on
MariaDB the database's comment, on MySQL, which has none, a collation that nobody uses, for as
long as there is no view.
"""

import re
from dataclasses import dataclass, field

from throwaway_mysql.accounts import identifier
from throwaway_mysql.databases.identity import Maker
from throwaway_mysql.databases.place import Place

VIEW = "throwaway_mysql"
FORM = 1  # counted up when the columns come to mean something else
UNMARKED = "utf8mb4_esperanto_ci"
# Each server reads the part that is for it ("Comment Syntax" in their manuals).
CREATE = "CREATE DATABASE {} CHARACTER SET utf8mb4 /*M!100500 COMMENT %s *//*!80000 COLLATE {} */"
SIGNS = """
SELECT default_collation_name, '' /*M!100500 , schema_comment */
FROM information_schema.schemata WHERE schema_name = %s
"""
COLUMN = re.compile(r"(?:'((?:[^'\\]|\\.|'')*)'|(\d+)) AS `(\w+)`", re.S)
# What SQL may create in a database, but for triggers, which have a table.
OBJECTS = (
    "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = %s",
    "SELECT COUNT(*) FROM information_schema.routines WHERE routine_schema = %s",
    "SELECT COUNT(*) FROM information_schema.events WHERE event_schema = %s",
)


@dataclass(frozen=True)
class Marker:
    """What a marker says."""

    name: str
    maker: Maker
    kept: bool = field(default=False, kw_only=True)


def create(place: Place, marker: Marker) -> None:
    """Create a database that is to be marked."""
    name = identifier(marker.name).replace("%", "%%")
    place.rows(CREATE.format(name, UNMARKED), _columns(marker))


def settle(place: Place, database: str) -> None:
    """Give a database that is marked the collation that it is to have."""
    if place.value("SELECT 0 /*!80000 + 1 */"):
        place.rows(f"ALTER DATABASE {identifier(database)} CHARACTER SET utf8mb4")


def write(place: Place, database: str, marker: Marker) -> None:
    """Mark a database, or mark it anew."""
    view = f"{identifier(database)}.{VIEW}"
    place.rows(f"CREATE OR REPLACE SQL SECURITY INVOKER VIEW {view} AS SELECT {_columns(marker)}")


def read(place: Place, database: str) -> Marker | None:
    """Return a database's marker, or None where it has none that can be read."""
    found = place.rows(
        "SELECT view_definition FROM information_schema.views"
        " WHERE table_schema = %s AND table_name = %s",
        database,
        VIEW,
    )
    definition = str(found[0][0] if found else _signs(place, database)[1])
    columns = {name: text or number for text, number, name in COLUMN.findall(definition)}
    if columns.get("form") != str(FORM):
        return None
    return _marker(columns)


def is_begun(place: Place, database: str) -> bool:
    """Tell whether a database was created to be marked, and has nothing yet.

    That is, by what the account can see.
    """
    if _signs(place, database)[0] != UNMARKED:
        return False
    return not any(place.value(count, database) for count in OBJECTS)


def _signs(place: Place, database: str) -> tuple[str, str]:
    """Return a database's collation and its comment; of one that has just gone, nothing."""
    found = place.rows(SIGNS, database)
    return (str(found[0][0]), str(found[0][-1])) if found else ("", "")


def _columns(marker: Marker) -> str:
    """Return what a marker says as a server tells of a view, and as read() finds it."""
    machine, pid, started = marker.maker
    values = {
        "form": FORM,
        "name": _quoted(marker.name),
        "machine": _quoted(machine),
        "pid": pid,
        "process_started": started,
        "kept": int(marker.kept),
    }
    return ",".join(f"{value} AS `{column}`" for column, value in values.items())


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def _marker(columns: dict[str, str]) -> Marker | None:
    try:
        pid, started, kept = (int(columns[name]) for name in ("pid", "process_started", "kept"))
        name = re.sub(r"\\(.)|'(')", r"\1\2", columns["name"])
        return Marker(name, Maker(columns["machine"], pid, started), kept=bool(kept))
    except (KeyError, ValueError):
        return None
