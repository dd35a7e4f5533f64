"""A record of the revisions that databases may have already, to tell whether one was rewritten.

A small file beside env.py with a line for each revision: the SHA-256 of its file, whose ends
of lines are taken as LF, and its id. Recorded are revisions that were released: a change in
one of these reaches no database that has it.
"""

import hashlib
from pathlib import Path

from alembic.script import ScriptDirectory

from throwaway_mysql.schemas.schema import RECORD


def file_of(script: ScriptDirectory) -> Path:
    """Return where the record is."""
    return Path(script.dir) / RECORD


def record(script: ScriptDirectory) -> int:
    """Write the record of all revisions that are there; return how many they are."""
    digests = _digests(script)
    lines = [f"{digest}  {revision}\n" for revision, digest in sorted(digests.items())]
    file_of(script).write_text("".join(lines), encoding="utf-8")
    return len(digests)


def rewritten(script: ScriptDirectory) -> list[str] | None:
    """Return what recorded revisions are changed or gone, or None where there is no record."""
    if not file_of(script).exists():
        return None
    recorded = [line.split() for line in file_of(script).read_text(encoding="utf-8").splitlines()]
    now = _digests(script)
    return [
        f"{revision} was rewritten" if revision in now else f"{revision} is gone"
        for digest, revision in recorded
        if now.get(revision) != digest
    ]


def _digests(script: ScriptDirectory) -> dict[str, str]:
    return {
        found.revision: hashlib.sha256(
            Path(found.path).read_bytes().replace(b"\r\n", b"\n")
        ).hexdigest()
        for found in script.walk_revisions()
    }
