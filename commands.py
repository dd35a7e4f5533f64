"""`quart mysql`: a private server for development, and accounts on a server of your own.

Every start of the app imports this module. Only commands import throwaway_mysql, which is not
installed in production.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

import settings

if TYPE_CHECKING:
    from throwaway_mysql import Login
    from throwaway_mysql.dev import DevServer

FOLDER = Path(__file__).with_name(".mysql")


@click.group()
def mysql() -> None:
    """Start, stop and set up the database server."""
    if not find_spec("throwaway_mysql"):
        raise click.ClickException(
            "this needs throwaway-mysql, which is installed for development only"
        )


@mysql.command()
def start() -> None:
    """Start a private server, unless a server answers at DB_HOST and DB_PORT."""
    with one_line_errors():
        click.echo(private_server().start(settings.MYSQLD))


@mysql.command()
def stop() -> None:
    """Stop the private server; keep its data."""
    with one_line_errors():
        click.echo(private_server().stop())


@mysql.command()
def status() -> None:
    """Show what answers at DB_HOST and DB_PORT; exit with 3 if nothing usable does."""
    with one_line_errors():
        answers, line = private_server().status()
    click.echo(line)
    if not answers:
        raise SystemExit(3)


@mysql.command()
def setup() -> None:
    """Create the database and its user on a running server, as root."""
    from throwaway_mysql.grants import set_up

    root, user = logins()
    with one_line_errors():
        with root.connect() as connection:
            set_up(connection, settings.DATABASE_NAME, user.user, user.password)
        user.connect().close()
    click.echo(f"{user.address} has the database {settings.DATABASE_NAME} for {user.user}")


def logins() -> "tuple[Login, Login]":
    """Return root and the app's user at the configured address."""
    from throwaway_mysql import Login, Tls

    address = settings.DB_HOST, settings.DB_PORT
    tls = Tls(settings.DB_TLS, settings.DB_TLS_CA, settings.DB_TLS_CERT, settings.DB_TLS_KEY)
    return (
        Login(*address, "root", settings.MYSQL_ROOT_PASSWORD, tls=tls),
        Login(
            *address,
            settings.DB_USERNAME,
            settings.DB_PASSWORD,
            database=settings.DATABASE_NAME,
            tls=tls,
        ),
    )


def private_server() -> "DevServer":
    """Return the private server for the configured address and accounts."""
    from throwaway_mysql.dev import DevServer

    root, user = logins()
    return DevServer(FOLDER, user, root.password)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn a ServerError into one line on stderr and exit status 1."""
    from throwaway_mysql import ServerError

    try:
        yield
    except ServerError as error:
        raise click.ClickException(str(error)) from None
