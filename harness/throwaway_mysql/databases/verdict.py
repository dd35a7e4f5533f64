"""Whose a database is, and whether it may be dropped: each rule in its turn."""

from dataclasses import dataclass
from enum import Enum

from throwaway_mysql.databases.holders import connections
from throwaway_mysql.databases.identity import Name, parse
from throwaway_mysql.databases.marker import Marker, is_begun, read
from throwaway_mysql.databases.ownership import Run
from throwaway_mysql.databases.place import Place, near

SYSTEM = frozenset({"information_schema", "mysql", "ndbinfo", "performance_schema", "sys"})
GRACE = 24 * 60 * 60  # seconds; a run elsewhere that lost its lock for a moment is not older
SKEW = 60  # seconds that the clocks of two machines may differ
STEP = 2  # seconds that two clocks of one machine may: both show whole ones


class State(Enum):
    """What is to become of a database."""

    FOREIGN = "foreign"  # none of ours
    LIVE = "live"  # of a run that goes on
    UNSURE = "unsure"  # nobody can tell, so it stays
    KEPT = "kept"  # of a run that has ended, and wanted it kept
    LEFT = "left"  # of a run that has ended


@dataclass(frozen=True)
class Verdict:
    """What is to become of a database, and why."""

    name: str
    state: State
    reason: str

    def __str__(self) -> str:
        return f"{self.name}  {self.state.value}: {self.reason}"


def judge_own(place: Place, database: str, run: Run) -> Verdict:
    """Judge a database that `run` made: it is left unless it turns out to be another one."""
    name = parse(database, run.prefix)
    if not name or (name.token, name.worker) != (run.token, run.worker) or _foreign(database, run):
        return Verdict(database, State.FOREIGN, "it is not named as one of this run")
    marker = read(place, database)  # which a test may have dropped
    if marker and marker.maker != run.maker:
        return Verdict(database, State.UNSURE, f"its marker is that of {marker.name}")
    return Verdict(database, State.LEFT, "its run needs it no more")


def judge(place: Place, database: str, run: Run) -> Verdict:
    """Judge a database that `run` did not make itself."""
    name = parse(database, run.prefix)
    if why := _foreign(database, run):
        return Verdict(database, State.FOREIGN, why)
    if not name:
        why = f"it is not named as a throwaway database {run.prefix}..."
        return Verdict(database, State.FOREIGN, why)
    if place.distrust:
        return Verdict(database, State.UNSURE, place.distrust)
    marker = read(place, database)
    if why := _unmarked(place, database, marker):
        return Verdict(database, State.UNSURE, why)
    if why := _lives(place, database, name, marker):
        return Verdict(database, State.LIVE, why)
    if why := _may_live(place, name, marker):
        return Verdict(database, State.UNSURE, why)
    if marker and marker.kept:
        return Verdict(database, State.KEPT, "its run has ended, and wanted it kept")
    return Verdict(database, State.LEFT, "its run has ended")


def _foreign(database: str, run: Run) -> str:
    if database.lower() in SYSTEM:
        return "it is the server's own"
    if database.lower() in {name.lower() for name in run.spared}:
        return "it is the project's own"
    return ""


def _unmarked(place: Place, database: str, marker: Marker | None) -> str:
    """Say why it may be a person's; one that no run has marked yet has a sign of that."""
    if marker and marker.name.lower() != database.lower():
        return f"its marker is that of {marker.name}"
    if not marker and not is_begun(place, database):
        return "it has no marker that can be read"
    return ""


def _lives(place: Place, database: str, name: Name, marker: Marker | None) -> str:
    if used := connections(place, database):
        return f"{used[0]} uses it"
    if marker and marker.maker.here and marker.maker.runs:
        return f"process {marker.maker.pid} runs"
    holder = place.value("SELECT NULLIF(IS_USED_LOCK(%s), CONNECTION_ID())", name.lock)
    return f"connection {holder} has its run's lock" if holder else ""


def _may_live(place: Place, name: Name, marker: Marker | None) -> str:
    """Say why a run without its lock may yet live: it is away with the connection that had it.

    That is a moment where the server ended the connection, a minute where the network did, and
    as long as the server is.
    """
    if marker and marker.maker.here:  # where its process has ended
        return ""
    begun = name.begun.timestamp()
    if place.now - begun > GRACE:
        return ""
    if marker:
        return "its process cannot be seen from here, nor now its lock; it is left after a day"
    # Of MySQL, and empty: a run that lives marks it at once, with its lock just held.
    restarted = begun - (STEP if near(place.login) else SKEW) < place.started
    return "the server may have restarted since; it is left after a day" if restarted else ""
