"""A database's schema as lines of text, to compare with another's."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from pymysql.connections import Connection
from pymysql.cursors import Cursor

from throwaway_mysql.contents import SEQUENCE, Contents

# What may differ if the same schema is made twice: AUTO_INCREMENT, when events first run, the
# brackets that servers put around joins when they reread a view's text, and whether MySQL states
# a collation's character set.
POSITION = re.compile(r" AUTO_INCREMENT=\d+| CHARACTER SET \w+(?= COLLATE)")
TIMES = re.compile(r" (STARTS|ENDS|AT) '[^']*'")
BRACKETS = re.compile(r"[()]")
SESSION = ("sql_mode", "character_set_client", "collation_connection", "Database Collation")


def lines(connection: "Connection[Cursor]", database: str) -> list[str]:
    """Return a sorted line for each part of a schema, with `{database}` for the database's name.

    The connection keeps the database as its default, and the session settings of Contents.
    """
    contents = Contents(connection, database)
    found = [f"database: {contents.collation}", *_tables(contents), *_others(contents)]
    return sorted(line.replace(database, "{database}") for line in found)


def differences(before: Sequence[str], after: Sequence[str], most: int = 5) -> str:
    """Say in one line which lines are gone and which are new; empty if there are none."""
    gone, new = Counter(before) - Counter(after), Counter(after) - Counter(before)
    parts = [*(f"gone: {line}" for line in gone), *(f"new: {line}" for line in new)]
    more = [f"and {len(parts) - most} more"] if len(parts) > most else []
    return "; ".join(parts[:most] + more)


def _tables(contents: Contents) -> Iterator[str]:
    for name, kind in contents.tables.items():
        text = contents.table(name)
        if kind == SEQUENCE:
            yield f"sequence {name}: {text}"
            continue
        _, *parts = (part.strip().rstrip(",") for part in text.splitlines())
        columns = [part.partition("` ")[0].strip("`") for part in parts if part.startswith("`")]
        yield f"table {name}: columns {', '.join(columns)}"
        yield from (f"table {name}: {POSITION.sub('', part)}" for part in parts)


def _others(contents: Contents) -> Iterator[str]:
    for kind, name, row, statement in contents.others():
        text = BRACKETS.sub("", statement) if kind == "VIEW" else statement
        text = TIMES.sub(r" \1", text) if kind == "EVENT" else text
        session = ", ".join(str(row[key]) for key in SESSION if key in row)
        yield f"{kind.lower()} {name}: {' '.join(text.split())} ({session})"
