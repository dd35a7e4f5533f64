"""The command `throwaway-mysql`: what tests left on a server."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import metadata

from throwaway_mysql.databases import Databases
from throwaway_mysql.errors import ServerError
from throwaway_mysql.login import Login
from throwaway_mysql.tls import MODES, Tls


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except ServerError as error:
        print(error, file=sys.stderr)
        return 1


def _list(options: argparse.Namespace) -> int:
    databases = _databases(options)
    for found in (survey := databases.survey()):
        print(found)
    if not survey:
        where = databases.login.address
        print(f"no run has a database at {where} with {options.prefix}", file=sys.stderr)
    return 0


def _sweep(options: argparse.Namespace) -> int:
    for name in _databases(options).sweep(kept=options.kept):
        print(f"{name}  dropped")
    return 0


def _databases(options: argparse.Namespace) -> Databases:
    files = options.tls_ca, options.tls_cert, options.tls_key
    login = Login(
        options.host,
        options.port,
        options.user,
        os.environ.get("MYSQL_PWD", ""),  # no option: other users can see command lines
        unix_socket=options.socket,
        tls=Tls(options.tls or "verified", *files) if options.tls or any(files) else None,
    )
    return Databases(login, options.prefix)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="throwaway-mysql", description=f"{__doc__} The password is taken from MYSQL_PWD."
    )
    version = metadata.version("throwaway-mysql")
    parser.add_argument("--version", action="version", version=f"%(prog)s {version}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    both = argparse.ArgumentParser(add_help=False)
    default = "by default %(default)s"
    both.add_argument("--host", default="127.0.0.1", help=f"the server's, {default}")
    both.add_argument("--port", type=int, default=3306, help=f"the server's, {default}")
    both.add_argument("--socket", help="a Unix socket, instead of host and port")
    both.add_argument("--user", default="root", help=f"its account, {default}")
    both.add_argument("--prefix", required=True, help="their prefix, such as shop_test_")
    both.add_argument("--tls", choices=MODES, help="whether to encrypt and to verify")
    both.add_argument("--tls-ca", default="", metavar="FILE", help="CA certificates")
    both.add_argument("--tls-cert", default="", metavar="FILE", help="the client's certificate")
    both.add_argument("--tls-key", default="", metavar="FILE", help="its key")
    command = commands.add_parser("list", parents=[both], help="list throwaway databases")
    command.set_defaults(command=_list)
    command = commands.add_parser("sweep", parents=[both], help="drop what killed runs left")
    command.add_argument("--kept", action="store_true", help="also drop what runs kept on purpose")
    command.set_defaults(command=_sweep)
    return parser
