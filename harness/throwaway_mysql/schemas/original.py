"""The rows that a database had when it was made: put back, wherever a test has changed them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Self

from throwaway_mysql import ServerError
from throwaway_mysql.accounts import identifier
from throwaway_mysql.databases.holders import LOCK_WAITS, insist
from throwaway_mysql.databases.ownership import MOST_IDLE, Run
from throwaway_mysql.databases.place import Place, saying
from throwaway_mysql.login import Login
from throwaway_mysql.schemas.checksums import Checksums
from throwaway_mysql.schemas.ddl import BASE, CloneError
from throwaway_mysql.schemas.digest import SESSION
from throwaway_mysql.schemas.dump import MOST
from throwaway_mysql.schemas.rows import inserts

VERSIONED = "SYSTEM VERSIONED"  # MariaDB's, with a history that DELETE adds to
INSTEAD = "set mysql_database = test"
TABLES = """
SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = %s
"""
TRIGGERS = """
SELECT event_object_table, event_manipulation FROM information_schema.triggers
WHERE event_object_schema = %s
"""


class Original:
    """The rows of one of a run's databases, from now until close().

    It has a connection of its own. Tables that are made later are to be empty. Raises
    ServerError where the rows could not be put back.
    """

    def __init__(self, login: Login, database: str, run: Run) -> None:
        self.database, self.run = database, run
        self._names: list[tuple[str]] = []
        self._seen: dict[str, str] = {}
        self._place = Place(replace(login, database=database))
        try:
            with saying(f"the rows of {database} cannot be kept"), self._place.patient():
                self._place.rows(
                    f"{SESSION}, wait_timeout = {MOST_IDLE}, lock_wait_timeout = {LOCK_WAITS[-1]}"
                )
                self._kinds = self._tables()
                self._rows = {name: self._read(name) for name in self._filled(self._kinds)}
                self._odd = {name for name in self._rows if self._has_no_checksum(name)}
                summed = [name for name in self._rows if name not in self._odd]
                self._summed = Checksums(self._place.connection, database, summed)
                self._checksums = self._summed.read()
                self._fires_at_delete = self._triggers()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Forget the rows, and leave the database."""
        self._place.close()

    def put_back(self) -> list[str]:
        """Make all rows what they were; return the names of tables that were touched.

        Ends connections whose locks keep it waiting, as a drop does: see `Run.leaks`.
        """
        touched: list[str] = []
        with saying(f"the rows of {self.database} were not put back"), self._place.patient():
            self.run.leaks += insist(
                self._place,
                self.database,
                self.run.journal,
                lambda: touched.extend(self._try_to_put_back()),
            )
        return touched

    def _try_to_put_back(self) -> list[str]:
        """Do it as far as no lock is in the way, of which the looking may find one already."""
        self._place.rows("ROLLBACK")  # what an attempt before had to break off
        kinds = self._tables()
        if gone := self._kinds.keys() - kinds.keys():
            raise ServerError(
                f"the table {min(gone)} of {self.database} is gone, and only rows are put back "
                f"after a test: {INSTEAD}"
            )
        changed = self._changed(kinds)
        if changed:
            for statement in self._statements(changed, kinds):
                self._place.rows(statement)
        return changed

    def _changed(self, kinds: dict[str, str]) -> list[str]:
        # Of all, first: CHECKSUM TABLE waits for each table that is locked, and raises nothing.
        filled = self._filled(kinds)
        now = self._summed.read()
        return [
            *(name for name in filled if name not in self._rows),
            *self._odd,
            *(name for name, checksum in self._checksums.items() if now[name] != checksum),
        ]

    def _statements(self, tables: Sequence[str], kinds: dict[str, str]) -> Iterator[str | bytes]:
        """Yield what puts tables back, first what commits by itself."""
        deleted = []
        for table in tables:
            if table in self._fires_at_delete:
                yield f"TRUNCATE TABLE {identifier(table)}"
            else:
                deleted.append(table)
        versioned = [name for name in deleted if kinds[name] == VERSIONED]
        yield "BEGIN"
        yield from (f"DELETE FROM {identifier(table)}" for table in deleted)  # noqa: S608
        yield from (f"DELETE HISTORY FROM {identifier(table)}" for table in versioned)
        for table in tables:
            yield from self._rows.get(table, ())
        yield "COMMIT"

    def _tables(self) -> dict[str, str]:
        """Return the kind of each table; it is asked for only where a table is new."""
        names = self._place.rows("SHOW TABLES")
        if names != self._names:
            found = self._place.rows(TABLES, self.database)
            self._seen = {name: kind for name, kind in found if kind in (BASE, VERSIONED)}
            self._names = names
        return self._seen

    def _filled(self, kinds: dict[str, str]) -> list[str]:
        """Return the tables that have rows, or had some where they keep that."""
        if not kinds:
            return []
        names = list(kinds)
        selects = [
            f"(SELECT {number} FROM {identifier(name)}"  # noqa: S608
            f"{' FOR SYSTEM_TIME ALL' if kinds[name] == VERSIONED else ''} LIMIT 1)"
            for number, name in enumerate(names)
        ]
        found = self._place.rows(" UNION ALL ".join(selects))  # half the time of many EXISTS
        return [names[number] for (number,) in found]

    def _read(self, table: str) -> list[bytes]:
        """Return the statements that insert a table's rows."""
        statements: list[bytes] = []
        found = inserts(self._place.connection, self.database, table)
        why = ""
        try:
            for insert in found:
                statements.append(insert)
                if sum(map(len, statements)) > MOST:
                    why = f"the rows of {table} take more than {MOST >> 20} MiB"
                    break
        except CloneError as error:
            why = str(error)
        if why:
            raise ServerError(f"no rows can be put back in {self.database}: {why}: {INSTEAD}")
        return statements

    def _has_no_checksum(self, table: str) -> bool:
        """Tell of a table whose checksum is another each time: of times, or of addresses."""
        made = str(self._place.rows(f"SHOW CREATE TABLE {identifier(table)}")[0][1])
        return self._kinds[table] == VERSIONED or " array)" in made

    def _triggers(self) -> set[str]:
        """Return the tables with a trigger on DELETE."""
        found = self._place.rows(TRIGGERS, self.database)
        for table in sorted(self._rows):
            if (table, "INSERT") in found:
                raise ServerError(
                    f"rows of {table} in {self.database} cannot be put back, as a trigger "
                    f"fires at each: {INSTEAD}"
                )
        return {table for table, event in found if event == "DELETE"}
