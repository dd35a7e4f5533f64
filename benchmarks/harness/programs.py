"""The server program as pytest-mysql wants it: four programs, each of which it starts itself.

It wants mysqld_safe, which the packages of servers alone do not have: these start the server
itself in its place, which is faster. The flag that only mysqld_safe knows is left out.
"""

import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

from throwaway_mysql.servers.datadir import bootstrap_script
from throwaway_mysql.servers.program import Program

SERVER = """\
#!/bin/sh
for word do
  shift
  [ "$word" = --skip-syslog ] || set -- "$@" "$word"
done
exec {program} --no-defaults {flags} "$@"
"""
INSTALL = """\
#!/bin/sh
exec {program} --no-defaults {flags} "$@" --bootstrap <{script}
"""
# Where there is no mysqladmin: what it would ask for.
SHUTDOWN = """\
#!/bin/sh
socket=${1#--socket=}
kill -TERM "$(cat "${socket%/*}"/mysql-server.*.pid)"
"""


def write(folder: Path, program: Program, flags: Sequence[str]) -> list[str]:
    """Write the programs; return the options of pytest-mysql that name them."""
    folder.mkdir()
    words = {"program": shlex.quote(str(program.path)), "flags": shlex.join(flags)}
    (folder / "mysqld").write_text(SERVER.format(**words))
    (folder / "shutdown").write_text(SHUTDOWN)
    options = [f"--mysql-mysqld={folder}/mysqld", f"--mysql-mysqld-safe={folder}/mysqld"]
    if program.family == "MariaDB":
        script = folder / "bootstrap.sql"
        script.write_bytes(bootstrap_script(program))
        words["script"] = shlex.quote(str(script))
        (folder / "install").write_text(INSTALL.format(**words))
        options.append(f"--mysql-install-db={folder}/install")
    for file in folder.iterdir():
        file.chmod(0o700)
    admin = shutil.which("mysqladmin") or shutil.which("mariadb-admin") or folder / "shutdown"
    return [*options, f"--mysql-admin={admin}"]
