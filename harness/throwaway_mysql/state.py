"""The databases that one process of a pytest run has made, until they are dropped or kept.

pytest loads this in every run, so what only runs with databases need is imported on first use.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pytest

from throwaway_mysql.errors import ServerError

if TYPE_CHECKING:
    from pathlib import Path

    from throwaway_mysql.databases import Database, Databases
    from throwaway_mysql.login import Login
    from throwaway_mysql.owner import Owner
    from throwaway_mysql.restore import Rows

Scope = Literal["function", "module", "session"]
SCOPES: dict[str, Scope] = {"test": "function", "module": "module", "session": "session"}
OUTPUT = "throwaway_mysql"  # our key in pytest-xdist's workerinput and workeroutput


@dataclass
class Use:
    """A database and how it is used."""

    databases: Databases
    database: Database
    purpose: str  # the test, module or session that it is for
    failures: int  # in the run when it was made
    over: bool = False  # whether its fixture has been torn down
    rows: Rows | None = None  # set if rows are put back after each test


class State:
    """The plugin's state in one pytest process: the run's main process or a worker."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.lines: list[str] = []  # for the report
        self.uses: list[Use] = []
        # By account and prefix; one, unless the fixtures are parametrized.
        self.servers: dict[tuple[Login, str], Databases] = {}
        self.environment: Database | None = None  # that the ini option mysql_env named
        self.planned_private = False  # mysql_env has named the run's private server
        self.has_kept = False
        self._folder: Path | None = None

    @classmethod
    def of(cls, config: pytest.Config) -> State:
        """Return this process's state."""
        return config.stash.setdefault(STATE, cls(config))

    @property
    def input(self) -> dict[str, Any]:
        """What pytest-xdist's controller gave this worker; empty in the main process."""
        found: dict[str, Any] = getattr(self.config, "workerinput", {}).get(OUTPUT, {})
        return found

    @property
    def owner(self) -> Owner:
        """The run's main process."""
        from throwaway_mysql.owner import Owner

        return Owner(*self.input["owner"]) if self.input else Owner.me()

    def folder(self) -> Path:
        """Return the folder for the run's private server."""
        from pathlib import Path

        from throwaway_mysql.folder import RunFolder

        if self._folder is None and "folder" in self.input:
            self._folder = Path(self.input["folder"])
        elif self._folder is None:
            run = RunFolder()
            self.config.add_cleanup(run.close)
            self._folder = run.folder
        return self._folder

    def settle(self, failures: int, *, restore: bool = True) -> Iterator[str]:
        """Drop or keep databases whose use is over, restore rows in others; yield the errors."""
        for use in list(self.uses):
            try:
                if use.over:
                    self.uses.remove(use)
                    self._end(use, failures)
                elif use.rows and restore:
                    use.rows.restore()
            except ServerError as error:
                yield str(error)

    def _end(self, use: Use, failures: int) -> None:
        chosen = self.config.getoption("--db-keep")
        if chosen == "all" or (chosen == "failed" and failures > use.failures):
            self._keep(use)
        else:
            print("Destroying db")
            use.databases.drop(use.database.name)

    def _keep(self, use: Use) -> None:
        from throwaway_mysql.run import RunLogin, keep_server, ways_in

        name, login = use.database.name, use.databases.login
        use.databases.keep(name)
        self.has_kept = True
        if isinstance(login, RunLogin):
            keep_server(login)
        url, *commands = ways_in(login, name)
        self.lines += [f"kept of {use.purpose}: {url}", *commands]

    def finish(self, session: pytest.Session) -> None:
        """Clean up at the end of the process."""
        for use in self.uses:
            use.over = True
        self.lines += self.settle(session.testsfailed)
        for databases in self.servers.values():
            self._clean(databases)
            self.lines += (f"a leak: {leak}" for leak in databases.leaks)
            databases.close()
        if (output := getattr(self.config, "workeroutput", None)) is not None:
            output[OUTPUT] = pickle.dumps((self.lines, self.has_kept, list(self.servers)))

    def take(self, node: Any) -> None:
        """Take over a pytest-xdist worker's results, unless it crashed."""
        from throwaway_mysql.databases import Databases

        if output := getattr(node, "workeroutput", {}).get(OUTPUT):
            lines, has_kept, servers = pickle.loads(output)  # noqa: S301 (our own)
            self.lines += lines
            self.has_kept |= has_kept
            for key in servers:
                self.servers.setdefault(key, Databases(*key))

    def _clean(self, databases: Databases) -> None:
        """Drop this process's templates, and what crashed workers left."""
        from throwaway_mysql.run import RunLogin

        if isinstance(databases.login, RunLogin) and not self.has_kept:
            return  # the databases end with the server
        try:
            databases.drop_all()
            self.lines += map(DROPPED.format, databases.sweep())
        except ServerError as error:
            self.lines.append(str(error))


STATE = pytest.StashKey[State]()
DROPPED = "dropped what a killed run left: {}"
