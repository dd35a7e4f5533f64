"""The MySQL-compatible server program of this machine."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from throwaway_mysql import ServerError

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
INSTALL = "install one (Debian: mariadb-server-core, Homebrew: mariadb), or set MYSQLD to its path"


@dataclass(frozen=True)
class Program:
    """A server program: its path, `MariaDB` or `MySQL`, and its version (10, 11, 6)."""

    path: Path
    family: str
    version: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.family} {'.'.join(map(str, self.version))}"


def find_program(path: str = "") -> Program:
    """Return the server program at `path`, or the first that this machine has.

    Raises ServerError where there is none, or where `path` is not one.
    """
    search = os.pathsep.join([os.environ.get("PATH", ""), *FOLDERS])
    names = [path] if path else ["mariadbd", "mysqld"]
    for name in names:
        if found := shutil.which(name, path=search):
            return _identify(Path(found))
    if path:
        raise ServerError(f"there is no server program at {path}: {INSTALL}")
    raise ServerError(f"this machine has no MySQL or MariaDB server program: {INSTALL}")


def _identify(path: Path) -> Program:
    said = subprocess.run(
        [path, "--no-defaults", "--version"], capture_output=True, text=True, check=False
    ).stdout
    version = re.search(r"Ver (\d+(?:\.\d+)+)", said)
    if not version:
        raise ServerError(f"{path} is not a MySQL or MariaDB server program")
    family = "MariaDB" if "MariaDB" in said else "MySQL"
    return Program(path, family, tuple(map(int, version[1].split("."))))
