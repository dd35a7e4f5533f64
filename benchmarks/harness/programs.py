"""The server program as pytest-mysql wants it: four programs, each of which it starts itself.

On Debian's MariaDB they are what its packages have, unpacked. Elsewhere the server program is
started itself in mysqld_safe's place, which is faster, without the flag that only that knows.
"""

import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

from throwaway_mysql import ServerError
from throwaway_mysql.servers.datadir import bootstrap_script
from throwaway_mysql.servers.program import Program, find_program

UNPACKED = Path(__file__).resolve().parents[2] / ".bench/mariadb/usr"
NAME = "bench_pytest_mysql"  # of its database: the installation script makes `test` itself
SERVER = 'exec {program} --no-defaults {flags} "$@"'
# These look for each other below basedir, or in the current folder.
REAL = {
    "server": SERVER,
    "safe": 'cd {usr} && exec bin/mysqld_safe --no-defaults --basedir={usr} {flags} "$@"',
    "install": 'exec {usr}/bin/mariadb-install-db --no-defaults --basedir={usr} {flags} "$@"',
    "admin": 'exec {usr}/bin/mariadb-admin --no-defaults "$@"',
}
STANDING_IN = {
    "server": SERVER,
    "safe": f"""\
for word do
  shift
  [ "$word" = --skip-syslog ] || set -- "$@" "$word"
done
{SERVER}
""",
    "install": 'exec {program} --no-defaults {flags} "$@" --bootstrap <{script}',
    # Where there is no mysqladmin: what it would ask for.
    "admin": """\
socket=${{1#--socket=}}
kill -TERM "$(cat "${{socket%/*}}"/mysql-server.*.pid)"
""",
}


def write(folder: Path, program: Program, flags: Sequence[str]) -> list[str]:
    """Write the programs; return the options of pytest-mysql that name them."""
    folder.mkdir()
    script = folder / "bootstrap.sql"
    words = {
        "program": shlex.quote(str(program.path)),
        "flags": shlex.join(flags),
        "script": shlex.quote(str(script)),
        "usr": shlex.quote(str(UNPACKED)),
    }
    maria = program.family == "MariaDB"
    if maria:
        script.write_bytes(bootstrap_script(program))
    for name, text in (REAL if are_real(program) else STANDING_IN).items():
        (folder / name).write_text("#!/bin/sh\n" + text.format(**words))
        (folder / name).chmod(0o700)
    admin = folder / "admin"
    if not are_real(program) and (found := shutil.which("mysqladmin")):
        admin = Path(found)
    return [
        f"--mysql-dbname={NAME}",
        f"--mysql-mysqld={folder}/server",
        f"--mysql-mysqld-safe={folder}/safe",
        f"--mysql-admin={admin}",
        *([f"--mysql-install-db={folder}/install"] if maria else []),
    ]


def are_real(program: Program) -> bool:
    """Tell whether the unpacked programs are of the same build as this one."""
    try:
        return find_program(str(UNPACKED / "sbin/mariadbd")).build == program.build
    except (ServerError, OSError):
        return False


def note(program: Program) -> str:
    """Say in a line of Markdown what pytest-mysql starts."""
    if are_real(program):
        return f"**pytest-mysql on {program}** starts what Debian's package mariadb-server has."
    return (
        f"**pytest-mysql on {program}** gets stand-ins: the server program itself in the place of "
        "`mysqld_safe` and, where there is no `mysqladmin`, a signal; both are faster."
    )
