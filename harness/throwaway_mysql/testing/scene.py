"""Databases of runs of any kind, made by hand, to see which of them a sweep drops."""

from datetime import UTC, datetime

from throwaway_mysql.accounts import identifier
from throwaway_mysql.databases.holders import connections
from throwaway_mysql.databases.identity import Maker, Name
from throwaway_mysql.databases.marker import Marker, create, write
from throwaway_mysql.databases.ownership import Run
from throwaway_mysql.databases.place import Place
from throwaway_mysql.databases.sweep import survey, sweep
from throwaway_mysql.databases.verdict import State
from throwaway_mysql.login import Login
from throwaway_mysql.testing.looking import databases, wait_until

NOW = datetime.now(UTC)
ELSEWHERE = Maker("elsewhere", 1, 1)  # a process of another machine


class Scene:
    """Databases with a prefix, made by hand, and one sweep after the other."""

    def __init__(self, account: Login, prefix: str) -> None:
        self.login, self.run = account, Run.begin(prefix)
        self.place = Place(account)
        self._random = self.run.token[-6:]  # tests at the same time have other locks
        self._number = 0

    def name(self, begun: datetime = NOW) -> str:
        """Return the name of a database of a run that began then."""
        self._number += 1
        return str(
            Name(self.run.prefix, f"{begun:%y%m%d%H%M%S}_{self._random}", "gw0", self._number)
        )

    def made(self, name: str, *statements: str) -> str:
        """Make a database without a marker, and what is in it."""
        self.place.rows(f"CREATE DATABASE {identifier(name)}")
        self.place.connection.select_db(name)
        for statement in statements:
            self.place.rows(statement)
        self.place.close()
        self.place = Place(self.login)
        wait_until(lambda: not connections(self.place, name))
        return name

    def marked(self, maker: Maker, begun: datetime = NOW, *, kept: bool = False) -> str:
        """Make a database as a run does, with a table."""
        name = self.made(self.name(begun), "CREATE TABLE t (n INT)")
        write(self.place, name, Marker(name, maker, kept=kept))
        return name

    def begun(self, maker: Maker, begun: datetime) -> str:
        """Make a database as a run does that is killed before it made the marker."""
        name = self.name(begun)
        create(self.place, Marker(name, maker))
        return name

    def goes(self, name: str, *, kept: bool = False) -> bool:
        """Tell whether a sweep drops a database; a survey has said so."""
        there = {verdict.name: verdict.state for verdict in survey(self.login, self.run)}
        swept = sweep(self.login, self.run, kept=kept)
        gone = name not in databases(self.login)
        assert gone == (name in swept.dropped)
        assert gone == (there[name] is State.LEFT or (kept and there[name] is State.KEPT))
        return gone

    def stays(self, name: str, why: str) -> bool:
        """Tell whether a sweep leaves a database for a reason."""
        assert not self.goes(name)
        (verdict,) = [verdict for verdict in survey(self.login, self.run) if verdict.name == name]
        return why in verdict.reason
