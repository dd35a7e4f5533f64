"""The command `throwaway-mysql`: what tests left on a server, and a server to develop with."""

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from throwaway_mysql import ServerError
from throwaway_mysql.databases import sweep
from throwaway_mysql.databases.ownership import Run
from throwaway_mysql.login import Login
from throwaway_mysql.servers import kept
from throwaway_mysql.servers.private import PrivateServer
from throwaway_mysql.servers.shared import SharedLogin
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
    login, run = _login(options), _run(options)
    verdicts = sweep.survey(login, run)
    for verdict in verdicts:
        print(verdict)
    if not verdicts:
        print(_nothing(login, run), file=sys.stderr)
    return 0


def _nothing(login: Login, run: Run) -> str:
    """Say that no run has a database, and of how many others the names begin with the prefix."""
    if others := sweep.count_others(login, run):
        return (
            f"no database at {login.address} that begins with {run.prefix} is a run's: "
            f"{others} without a run's name and marker stay as they are"
        )
    return f"no database at {login.address} begins with {run.prefix}"


def _sweep(options: argparse.Namespace) -> int:
    swept = sweep.sweep(_login(options), _run(options), kept=options.kept)
    for line in [*(f"{name}  dropped" for name in swept.dropped), *swept.stay]:
        print(line)
    if swept.note:
        print(swept.note, file=sys.stderr)
    return 1 if swept.note else 0


def _server(options: argparse.Namespace) -> int:
    login = _login(options)
    if not login.password:
        raise ServerError("the server needs a password for its accounts: set MYSQL_PWD")
    server = PrivateServer(options.folder, login, login.password)
    if options.action == "status":
        answers, line = server.status()
        print(line)
        return 0 if answers else 1
    print(server.start(options.program) if options.action == "start" else server.stop())
    return 0


def _kept(_: argparse.Namespace) -> int:
    for login in kept.servers():
        print(*_ways(login), sep="\n")
        if kept.has_run(login):
            print(f"      {login.folder} is still in use by the run that made it")
    return 0


def _ways(login: SharedLogin) -> list[str]:
    """Return what the run printed of each database that it kept, as far as they are there."""
    try:
        names = sweep.kept(login)
    except ServerError as error:
        return [f"kept, but {error}: `{kept.way_out(login)}` removes what is left"]
    if not names:
        return [f"kept, but without databases: `{kept.way_out(login)}` ends the server"]
    return [line for name in names for line in kept.ways_in(login, name)]


def _end(options: argparse.Namespace) -> int:
    print(kept.end(options.folder))
    return 0


def _login(options: argparse.Namespace) -> Login:
    return Login(
        options.host,
        options.port,
        options.user,
        os.environ.get("MYSQL_PWD", ""),  # not an option: other users see a command's
        unix_socket=options.socket,
        database=options.database,
        tls=_tls(options),
    )


def _tls(options: argparse.Namespace) -> Tls | None:
    files = options.tls_ca, options.tls_cert, options.tls_key
    return Tls(options.tls or "verified", *files) if options.tls or any(files) else None


def _run(options: argparse.Namespace) -> Run:
    return Run.begin(options.prefix, spared=options.spare)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="throwaway-mysql", description=f"{__doc__} The password is taken from MYSQL_PWD."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {_version()}")
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
    command = commands.add_parser("kept", help="list what test runs kept on private servers")
    command.set_defaults(command=_kept)
    command = commands.add_parser("end", help="end a server that a test run kept (--db-keep)")
    command.add_argument("folder", type=Path, help="as that run printed it")
    command.set_defaults(command=_end)
    return parser


def _address(user: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    told = "by default %(default)s"
    parser.add_argument("--host", default="127.0.0.1", help=f"the server's, {told}")
    parser.add_argument("--port", type=int, default=3306, help=f"the server's, {told}")
    parser.add_argument("--user", default=user, help=f"its account, {told}")
    return parser


def _version() -> str:
    with suppress(metadata.PackageNotFoundError):
        return metadata.version("throwaway-mysql")
    return "(not installed)"
