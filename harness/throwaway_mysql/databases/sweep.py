"""What runs left that were killed: seen, and dropped."""

from dataclasses import dataclass, field

from throwaway_mysql import ServerError
from throwaway_mysql.databases.database import StaysError, drop
from throwaway_mysql.databases.identity import parse
from throwaway_mysql.databases.marker import read
from throwaway_mysql.databases.ownership import Run
from throwaway_mysql.databases.place import Place, saying
from throwaway_mysql.databases.verdict import State, Verdict, judge
from throwaway_mysql.login import Login


@dataclass
class Swept:
    """What a sweep did: the names that it dropped, and what stays.

    `note` says why it did not drop anything, where it did not try.
    """

    dropped: list[str] = field(default_factory=list)
    stay: list[Verdict] = field(default_factory=list)
    note: str = ""


def survey(login: Login, run: Run) -> list[Verdict]:
    """Return what is to become of each database with the prefix of `run`, the oldest first."""
    with Place(login) as place, saying(f"the databases at {login.address} cannot be seen"):
        return _survey(place, run)


def count_others(login: Login, run: Run) -> int:
    """Count the databases with the prefix whose names no run gives, and which no sweep touches."""
    with Place(login) as place, saying(f"the databases at {login.address} cannot be seen"):
        names = _all(place)
    return sum(name.startswith(run.prefix) and not parse(name, run.prefix) for name in names)


def sweep(login: Login, run: Run, *, kept: bool = False) -> Swept:
    """Drop the databases with the prefix of `run` that nobody owns any more, `kept` ones too.

    One sweep for a prefix works at a time; a second one does nothing. Nor does one on a
    server whose locks cannot be trusted.
    """
    swept = Swept()
    with Place(login) as place, saying(f"no sweep at {login.address}"):
        if place.distrust:
            return Swept(stay=_survey(place, run), note=f"nothing is dropped: {place.distrust}")
        with place.locked(f"throwaway-mysql sweep {run.prefix}") as first:
            if not first:
                return Swept(note="another sweep is under way")
            for name in _names(place, run):
                _drop(place, name, run, swept, kept=kept)
    return swept


def kept(login: Login) -> list[str]:
    """Return the names of all databases at a server that runs have kept on purpose."""
    with Place(login) as place, saying(f"the databases at {login.address} cannot be seen"):
        found = {name: read(place, name) for name in _all(place)}
    return [name for name, marker in found.items() if marker and marker.kept]


def _drop(place: Place, name: str, run: Run, swept: Swept, *, kept: bool) -> None:
    try:
        drop(place, name, run, kept=kept)
        swept.dropped.append(name)
    except StaysError as error:
        swept.stay.append(error.verdict)
    except ServerError as error:  # the others can go nevertheless
        swept.stay.append(Verdict(name, State.UNSURE, str(error)))


def _survey(place: Place, run: Run) -> list[Verdict]:
    return [judge(place, name, run) for name in _names(place, run)]


def _names(place: Place, run: Run) -> list[str]:
    return sorted(name for name in _all(place) if parse(name, run.prefix) and not run.owns(name))


def _all(place: Place) -> list[str]:
    return [name for (name,) in place.rows("SHOW DATABASES")]
