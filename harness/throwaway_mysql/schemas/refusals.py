"""What a server refuses in a revision, as one line. Needs Alembic and SQLAlchemy."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic.script import ScriptDirectory
from pymysql import MySQLError
from sqlalchemy.exc import DBAPIError

from throwaway_mysql import ServerError


@contextmanager
def in_one_line(script: ScriptDirectory) -> Iterator[None]:
    """Raise ServerError, which names the revision, where the server refuses what one executes.

    Anything else, such as a bug in a revision's Python, keeps its traceback.
    """
    try:
        yield
    except (DBAPIError, MySQLError) as error:
        place, said = _place(script, error), _said(error)
        if not place or not said:
            raise
        raise ServerError(f"revision {place}: {said}") from None


def _said(error: DBAPIError | MySQLError) -> str:
    """Return the server's number and text; nothing for an error of the driver's own."""
    match error.orig if isinstance(error, DBAPIError) else error:
        case MySQLError(args=(int(number), str(text))) if number:
            return f"{number} {text}"
    return ""


def _place(script: ScriptDirectory, error: Exception) -> str:
    """Return which revision the error passed through, and where in its file."""
    revisions = {Path(found.path).resolve(): found for found in script.walk_revisions()}
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if found := revisions.get(Path(frame.filename).resolve()):
            return f"{found.revision} ({found.path}:{frame.lineno}, in {frame.name})"
    return ""
