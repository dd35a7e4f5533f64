"""The four programs that pytest-mysql wants, each of which it starts itself.

For MariaDB they are what Debian's packages have, which the script unpacks. MySQL's server stands
in for `mysqld_safe`, and a signal for `mysqladmin`: both are faster.
"""

import shlex
from collections.abc import Sequence
from pathlib import Path

from benchmarks.database import Database
from benchmarks.machine import PROJECT

UNPACKED = PROJECT / ".bench/mariadb/usr"
SERVER = 'exec {program} --no-defaults {flags} "$@"'
# These look for each other below basedir, or in the current folder.
MARIADB = {
    "mysqld": SERVER,
    "mysqld-safe": 'cd {usr} && exec bin/mysqld_safe --no-defaults --basedir={usr} {flags} "$@"',
    "install-db": 'exec {usr}/bin/mariadb-install-db --no-defaults --basedir={usr} {flags} "$@"',
    "admin": 'exec {usr}/bin/mariadb-admin --no-defaults "$@"',
}
MYSQL = {
    "mysqld": SERVER,
    "mysqld-safe": f"""\
for word do
  shift
  [ "$word" = --skip-syslog ] || set -- "$@" "$word"
done
{SERVER}
""",
    "admin": """\
socket=${{1#--socket=}}
kill -TERM "$(cat "${{socket%/*}}"/mysql-server.*.pid)"
""",
}


def write(folder: Path, database: Database, flags: Sequence[str]) -> list[str]:
    """Write the programs, all with `flags`; return pytest-mysql's options for them."""
    folder.mkdir()
    words = {"program": database.program, "flags": shlex.join(flags), "usr": str(UNPACKED)}
    options = ["--mysql-dbname=bench_pytest_mysql"]  # MariaDB's script makes `test` itself
    for name, text in (MARIADB if is_maria(database) else MYSQL).items():
        program = folder / name
        program.write_text("#!/bin/sh\n" + text.format(**words))
        program.chmod(0o700)
        options.append(f"--mysql-{name}={program}")
    return options


def is_maria(database: Database) -> bool:
    """Tell which of the two engines it is."""
    return database.engine.startswith("MariaDB")


def is_possible(database: Database) -> bool:
    """Tell whether the programs are there, of the version that is measured."""
    version = UNPACKED.with_name("version")
    number = database.engine.split()[1]
    return not is_maria(database) or (version.is_file() and number in version.read_text())
