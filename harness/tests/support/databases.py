"""Find throwaway databases, make them as another process, and hold locks in them."""

from collections.abc import Iterator
from contextlib import contextmanager

from support.sql import run
from throwaway_mysql.connections import rows
from throwaway_mysql.databases import Databases
from throwaway_mysql.login import Login
from throwaway_mysql.owner import Owner


def exist(login: Login, prefix: str) -> set[str]:
    """Return the databases with a prefix that an account sees."""
    found = run(login, "information_schema", "SHOW DATABASES")
    return {name for (name,) in found if name.startswith(prefix)}


def made(databases: Databases, owner: Owner, number: int = 1) -> str:
    """Make a database that another process owns."""
    return databases.of(owner).create(number=number).name


@contextmanager
def holding(login: Login, name: str, *statements: str) -> Iterator[int]:
    """Hold locks in a database; yield the connection's id."""
    with login.connect() as connection:
        connection.select_db(name)
        for statement in statements:
            rows(connection, statement)
        yield int(connection.thread_id())  # type: ignore[no-untyped-call]
        connection._force_close()  # type: ignore[attr-defined]  # noqa: SLF001
