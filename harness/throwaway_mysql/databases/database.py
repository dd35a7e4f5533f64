"""Databases that exist for one test module and are dropped after it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple

import pymysql

from throwaway_mysql import ServerError
from throwaway_mysql.accounts import identifier, throwaway_prefix
from throwaway_mysql.databases import marker
from throwaway_mysql.databases.holders import LOCKED, holders, insist, wait_for_locks
from throwaway_mysql.databases.identity import lock_of
from throwaway_mysql.databases.marker import Marker
from throwaway_mysql.databases.ownership import Run, default_run
from throwaway_mysql.databases.place import Place, saying
from throwaway_mysql.databases.verdict import State, Verdict, judge, judge_own
from throwaway_mysql.login import Login
from throwaway_mysql.masked import Masked
from throwaway_mysql.tls import Tls

TLS = ("DB_TLS", "DB_TLS_CA", "DB_TLS_CERT", "DB_TLS_KEY")

log = logging.getLogger(__name__)


class Coordinates(Masked):
    """Settings that lead to a database."""

    def environ(self) -> dict[str, str]:
        """Return the environment of a program that is to use this database."""
        names = ("DB_HOST", "DB_PORT", "DB_SOCKET", "DB_USERNAME", "DB_PASSWORD", "DATABASE_NAME")
        known = {name: str(self[name]) for name in (*names, *TLS)}
        return dict(Masked(known))  # uvloop takes no other

    @property
    def login(self) -> Login:
        """The account that they lead to."""
        return Login(
            self["DB_HOST"],
            self["DB_PORT"],
            self["DB_USERNAME"],
            self["DB_PASSWORD"],
            unix_socket=self.get("DB_SOCKET"),
            tls=Tls(*(self.get(name, "") for name in TLS)) if self.get("DB_TLS") else None,
        )

    def url(self, driver: str = "") -> str:
        """Return the URL of the database, with the password, such as `mysql://...`.

        With a driver (`pymysql`, `aiomysql`, `asyncmy`, `mysqldb`) it is SQLAlchemy's, which
        may be written as SQLAlchemy does, too: `mysql+pymysql`.
        """
        return self.login.url(driver or "mysql", self["DATABASE_NAME"])


class StaysError(ServerError):
    """A database is not dropped: `verdict` tells why."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(f"{verdict.name} is not dropped: {verdict.reason}")
        self.verdict = verdict


@contextmanager
def throwaway_database(
    login: Login, database: str, run: Run | None = None
) -> Iterator[Coordinates]:
    """Create a database `<database>_test_...` that no other run has; drop it at the end.

    `run` is whose it is, and names it; by default this process's. Yields DB_HOST, DB_PORT,
    DB_SOCKET (a path, or empty where the port leads there), DB_USERNAME, DB_PASSWORD,
    DATABASE_NAME, DB_URI, the server's URL without a database, and DB_TLS (`off`, `preferred`,
    `verified`) with DB_TLS_CA, DB_TLS_CERT and DB_TLS_KEY, files or empty.
    Raises ServerError where the login fails, or where the server is not this machine's.
    """
    run = run or default_run(throwaway_prefix(database), spared=[database])
    name = run.next_name()
    try:
        with run.journal.step("database: create", name):
            create(login, name, run)
        yield Coordinates(
            DB_HOST=login.host,
            DB_PORT=login.port,
            DB_SOCKET=login.unix_socket or "",
            DB_USERNAME=login.user,
            DB_PASSWORD=login.password,
            DATABASE_NAME=name,
            DB_URI=login.url(),
            **dict(zip(TLS, astuple(login.encryption), strict=True)),
        )
    finally:
        if run.owns(name):
            with run.journal.step("database: drop", name), Place(login) as place:
                for leak in drop(place, name, run):
                    log.warning("%s", leak)


def create(login: Login, name: str, run: Run) -> None:
    """Create one of a run's databases: its lock first, then the database, then its marker."""
    with Place(login) as place:
        mark = Marker(name, run.maker)
        run.hold(login)
        run.made.add(name)  # before: after Ctrl-C it may be there
        with saying(f"{name} was not made at {login.address}"):
            try:
                marker.create(place, mark)
            except pymysql.MySQLError:
                run.made.discard(name)  # or, where the answer was lost, the next sweep drops it
                raise
            marker.write(place, name, mark)
            marker.settle(place, name)


def keep(login: Login, name: str, run: Run) -> None:
    """Let one of a run's databases stay: only a sweep that is told to drops it after the run."""
    with Place(login) as place, saying(f"{name} is not kept"):
        run.hold(login)
        marker.write(place, name, Marker(name, run.maker, kept=True))
    run.made.discard(name)


def drop(place: Place, name: str, run: Run, *, kept: bool = False) -> list[str]:
    """Drop a database of `run`'s, or one that nobody owns any more; `kept` ones where told to.

    All drops go this way. Ends connections that still hold locks in one of the run's own, and
    returns one line for each, which `run.leaks` gets too. Raises StaysError for any other
    database, and where someone holds locks in one that nobody owns, or is seen to use it.
    """
    leaks: list[str] = []
    with saying(f"{name} is not dropped"):
        if run.owns(name):
            _check(judge_own(place, name, run), kept=kept)
            leaks = _drop_own(place, name, run)
            run.made.discard(name)
        else:
            _drop_left(place, name, run, kept=kept)
    run.leaks += leaks
    return leaks


def _drop_left(place: Place, name: str, run: Run, *, kept: bool) -> None:
    # Judged before as well: a run that lives is not to find its lock taken.
    _check(judge(place, name, run), kept=kept)
    with place.locked(lock_of(name, run.prefix)) as free:
        if not free:
            raise StaysError(Verdict(name, State.LIVE, "its run has its lock again"))
        _check(judge(place, name, run), kept=kept)
        wait_for_locks(place)
        try:
            _drop_now(place, name)
        except pymysql.OperationalError as error:
            if error.args[0] not in LOCKED:
                raise
            # Nobody is ended: it may be a person, who looks at what was left.
            why = f"{_holder(place, name)} has locks in it"
            raise StaysError(Verdict(name, State.LIVE, why)) from None


def _holder(place: Place, name: str) -> str:
    seen = [str(other) for other in holders(place, name) if other.id != place.id]
    return seen[0] if seen else "a transaction"


def _check(verdict: Verdict, *, kept: bool) -> None:
    if verdict.state is not State.LEFT and not (kept and verdict.state is State.KEPT):
        raise StaysError(verdict)


def _drop_own(place: Place, name: str, run: Run) -> list[str]:
    try:
        return insist(place, name, run.journal, lambda: _drop_now(place, name))
    except pymysql.OperationalError as error:
        if error.args[0] not in LOCKED:
            raise
    raise ServerError(
        f"{name} is not dropped: a transaction that {place.login.user} cannot see or end has "
        "locks in it: end it, and sweep"
    )


def _drop_now(place: Place, name: str) -> None:
    with place.patient():
        place.rows("SET SESSION foreign_key_checks = 0")
        if tables := _tables_before(place, name):
            place.rows(f"DROP TABLE IF EXISTS {tables}")
        place.rows(f"DROP DATABASE IF EXISTS {identifier(name)}")


def _tables_before(place: Place, name: str) -> str:
    """Return the tables to be dropped before the marker is: none on MySQL, which drops all at once.

    Were MariaDB to crash in the middle of DROP DATABASE, the marker might go before a table.
    """
    found = place.rows(
        "SELECT table_name FROM information_schema.tables"
        " WHERE table_schema = %s AND table_type NOT LIKE '%%VIEW' /*!80000 AND FALSE */",
        name,
    )
    return ", ".join(f"{identifier(name)}.{identifier(table)}" for (table,) in found)
