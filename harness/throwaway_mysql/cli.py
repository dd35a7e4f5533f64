"""The command `throwaway-mysql`: what tests left on a server, and a server to develop with."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from throwaway_mysql.databases import Databases
from throwaway_mysql.dev import DevServer
from throwaway_mysql.errors import ServerError
from throwaway_mysql.login import Login
from throwaway_mysql.run import end_kept, kept_servers
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


def _kept(_: argparse.Namespace) -> int:
    for login in kept_servers():
        print(f"{login.folder}  {login.program}: `throwaway-mysql end {login.folder}` ends it")
    return 0


def _end(options: argparse.Namespace) -> int:
    print(end_kept(options.folder))
    return 0


def _server(options: argparse.Namespace) -> int:
    login = _login(options)
    if not login.password:
        raise ServerError("the server needs a password for its accounts: set MYSQL_PWD")
    server = DevServer(options.folder, login, login.password)
    if options.action == "status":
        answers, line = server.status()
        print(line)
        return 0 if answers else 1
    print(server.start(options.program) if options.action == "start" else server.stop())
    return 0


def _databases(options: argparse.Namespace) -> Databases:
    return Databases(_login(options), options.prefix, spared=options.spare)


def _login(options: argparse.Namespace) -> Login:
    files = options.tls_ca, options.tls_cert, options.tls_key
    return Login(
        options.host,
        options.port,
        options.user,
        os.environ.get("MYSQL_PWD", ""),  # not an option: other users see a command's
        unix_socket=options.socket,
        database=options.database,
        tls=Tls(options.tls or "verified", *files) if options.tls or any(files) else None,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="throwaway-mysql", description=f"{__doc__} The password is taken from MYSQL_PWD."
    )
    version = metadata.version("throwaway-mysql")
    parser.add_argument("--version", action="version", version=f"%(prog)s {version}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    left = _address("root")
    left.add_argument("--prefix", required=True, help="how their names begin, such as shop_test_")
    left.add_argument("--spare", action="append", default=[], metavar="NAME", help="never drop it")
    left.add_argument("--socket", help="a Unix socket, instead of host and port")
    left.add_argument("--tls", choices=MODES, help="whether to encrypt, and whom to trust")
    left.add_argument("--tls-ca", default="", metavar="FILE", help="certificates of authorities")
    left.add_argument("--tls-cert", default="", metavar="FILE", help="a certificate to show")
    left.add_argument("--tls-key", default="", metavar="FILE", help="its key")
    left.set_defaults(database=None)
    command = commands.add_parser("list", parents=[left], help="list throwaway databases, and why")
    command.set_defaults(command=_list)
    command = commands.add_parser("sweep", parents=[left], help="drop what killed runs left")
    command.add_argument("--kept", action="store_true", help="drop what runs kept on purpose, too")
    command.set_defaults(command=_sweep)
    command = commands.add_parser("kept", help="list the servers that test runs kept (--db-keep)")
    command.set_defaults(command=_kept)
    command = commands.add_parser("end", help="end a server that a test run kept (--db-keep)")
    command.add_argument("folder", type=Path, help="as that run printed it")
    command.set_defaults(command=_end)
    command = commands.add_parser(
        "server", parents=[_address("throwaway")], help="a private server that keeps its data"
    )
    command.add_argument("action", choices=["start", "stop", "status"])
    command.add_argument("--folder", type=Path, required=True, help="where its data are")
    command.add_argument("--database", default="throwaway", help="made at its first start")
    command.add_argument("--program", default="", help="such as /usr/sbin/mysqld")
    command.set_defaults(
        command=_server, socket=None, tls="off", tls_ca="", tls_cert="", tls_key=""
    )
    return parser


def _address(user: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    default = "by default %(default)s"
    parser.add_argument("--host", default="127.0.0.1", help=f"the server's, {default}")
    parser.add_argument("--port", type=int, default=3306, help=f"the server's, {default}")
    parser.add_argument("--user", default=user, help=f"its account, {default}")
    return parser
