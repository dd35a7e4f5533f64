"""How a database's revision compares to this program's, and what helps."""

from collections.abc import Collection

from alembic.script import ScriptDirectory

OLDER = "The database schema is older than this program: run `alembic upgrade head`."
NEWER = (
    "The database schema is newer than this program (revision {there}): deploy the program that "
    "made it, or use that to run `alembic downgrade {newest}`."
)


def advice(there: Collection[str], script: ScriptDirectory) -> str:
    """Return what helps a database at the revisions `there`; empty if they are the newest."""
    newest = script.get_heads()
    if set(there) == set(newest):
        return ""
    known = {revision.revision for revision in script.walk_revisions()}
    if unknown := set(there) - known:
        return NEWER.format(there=", ".join(sorted(unknown)), newest=", ".join(newest))
    return OLDER
