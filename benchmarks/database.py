"""A database server that runs already: what is measured uses it, and what is compared with it.

The only file that uses more of the harness than its public names. What the harness itself does is
measured from outside, in whole test runs.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from throwaway_mysql import Server
from throwaway_mysql.process import throwaway_flags

HOST, USER, PASSWORD = "127.0.0.1", "bench", "bench"


@dataclass(frozen=True)
class Database:
    """The server at `port` of HOST; `engine` is its name and version.

    `flags` are those of the harness's private servers, and `place` is where its data lie.
    """

    engine: str
    program: str
    port: int
    flags: list[str]
    place: Path

    def connect(self) -> "Connection[Cursor]":
        """Return a connection with all privileges."""
        return pymysql.connect(host=HOST, port=self.port, user=USER, password=PASSWORD)

    def settings(self, database: str) -> dict[str, str]:
        """Return the app's settings, for a database on it."""
        where = {"DB_HOST": HOST, "DB_PORT": str(self.port), "DATABASE_NAME": database}
        return {**where, "DB_USERNAME": USER, "DB_PASSWORD": PASSWORD, "QUART_ENV": "production"}


@contextmanager
def running(program: str, *, durable: bool = False) -> Iterator[Database]:
    """Run a server of the program until the block ends.

    `durable`: on disk, with the server's defaults, by which each commit is flushed. Otherwise it is
    as the harness's private servers are: in memory, with their flags.
    """
    with closing(Server(program, durable=durable)) as server:
        with server.root.connect() as connection, connection.cursor() as cursor:
            for host in "localhost", HOST:
                account = f"{USER}@'{host}'"
                cursor.execute(f"CREATE USER {account} IDENTIFIED BY '{PASSWORD}'")
                cursor.execute(f"GRANT ALL ON *.* TO {account} WITH GRANT OPTION")
        flags = list(throwaway_flags(server.program))
        program = str(server.program.path)
        place = server.folder.parent
        yield Database(str(server.program), program, server.root.port, flags, place)
