"""Find this machine's MySQL or MariaDB server program."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from throwaway_mysql.errors import ServerError

# Debian keeps servers out of an ordinary user's PATH; Homebrew keeps versions apart.
FOLDERS = [
    "/usr/sbin",
    "/usr/local/sbin",
    "/usr/libexec",
    "/usr/local/mysql/bin",
    "/opt/homebrew/bin",
    "/opt/homebrew/opt/mariadb/bin",
    "/opt/homebrew/opt/mysql/bin",
    "/usr/local/opt/mariadb/bin",
    "/usr/local/opt/mysql/bin",
]
NAMES = ("mariadbd", "mysqld")
VARIABLE = "THROWAWAY_MYSQLD"
INSTALL = (
    "install one (Debian and Ubuntu: mariadb-server-core, Fedora: mariadb-server, Homebrew: "
    f"mariadb), or set {VARIABLE} to its path"
)


@dataclass(frozen=True)
class Program:
    """A server program: its path, `MariaDB` or `MySQL`, and its version, such as 10.11.6.

    `build` is the version in full as the program prints it: "Ver 10.11.6-MariaDB for ...".
    """

    path: Path
    family: str
    version: str
    build: str

    def __str__(self) -> str:
        return f"{self.family} {self.version}"


def find_program(path: str = "") -> Program:
    """Return the server program at `path`, else at THROWAWAY_MYSQLD, else the first found.

    Raises ServerError if there is none, or if the named program is not a server.
    """
    wanted = path or os.environ.get(VARIABLE, "")
    search = os.pathsep.join([os.environ.get("PATH", ""), *FOLDERS])
    for name in [wanted] if wanted else NAMES:
        if found := shutil.which(name, path=search):
            return _identify(Path(found).absolute())
    if wanted:
        raise ServerError(f"there is no server program at {wanted}: {INSTALL}")
    tried = f"neither {' nor '.join(NAMES)} is in PATH, {', '.join(FOLDERS)}"
    raise ServerError(f"this machine has no MySQL or MariaDB server program ({tried}): {INSTALL}")


def _identify(path: Path) -> Program:
    """Ask the program for its version. Raises ServerError if it is no server program."""
    done = ask(path, "--version")
    version = re.search(r"Ver (\d+(?:\.\d+)+)", done.stdout)
    if not version:
        complaint = done.stderr.strip().partition("\n")[0]
        why = f": {complaint}" if complaint else ""
        raise ServerError(f"{path} is not a MySQL or MariaDB server program that runs here{why}")
    family = "MariaDB" if "MariaDB" in done.stdout else "MySQL"
    return Program(path, family, version[1], done.stdout[version.start() :].strip())


def ask(path: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """Run a program with options; return its output. Raises ServerError if it cannot be run."""
    argv = [str(path), "--no-defaults", *options]
    try:
        return subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise ServerError(f"{path} cannot be run: {error.strerror}; name another") from None
