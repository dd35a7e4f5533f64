"""The MySQL-compatible server program of this machine."""

import os
import re
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from throwaway_mysql import cache
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
ANSWERS_WITHIN = 30.0  # seconds
INSTALL = (
    "install one (Debian and Ubuntu: mariadb-server-core, Fedora: mariadb-server, Homebrew: "
    f"mariadb), or set {VARIABLE} to its path"
)


@dataclass(frozen=True)
class Program:
    """A server program: its path, `MariaDB` or `MySQL`, and its version (10, 11, 6).

    `build` is all that the program prints of its version, such as "Ver 10.11.6-MariaDB for ...".
    """

    path: Path
    family: str
    version: tuple[int, ...]
    build: str

    def __str__(self) -> str:
        return f"{self.family} {'.'.join(map(str, self.version))}"


def find_program(path: str = "") -> Program:
    """Return the server program at `path`, or that THROWAWAY_MYSQLD names, or the first found.

    Raises ServerError where there is none, or where the one that is named is not one.
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
    """Ask the program for its version, unless the cache has it: an answer takes 20 ms."""
    status = path.stat()
    entry = None
    if not _is_script(path):  # which may run another program each time
        entry = cache.entry("program", str(path), status.st_size, status.st_mtime_ns)
    with suppress(OSError, ServerError):
        if entry:
            program = _parse(path, entry.read_text())
            cache.used(entry)
            return program
    output, complaint = _ask(path, "--version")
    program = _parse(path, output, complaint)
    with cache.writing(entry) as may_write:
        if entry and may_write:
            cache.keep(entry, lambda part: part.write_text(output))
    return program


def _is_script(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(2) == b"#!"
    except PermissionError:  # only a binary program runs without being read
        return False


def ask(program: Program, *options: str) -> str:
    """Return what a program prints. Raises ServerError."""
    return _ask(program.path, *options)[0]


def _ask(path: Path, *options: str) -> tuple[str, str]:
    """Return what a program prints, and the first line of its complaints."""
    try:
        done = subprocess.run(
            [path, "--no-defaults", *options],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ANSWERS_WITHIN,
            check=False,
        )
    except OSError as error:
        raise ServerError(f"{path} cannot be run: {error.strerror}; name another") from None
    except subprocess.TimeoutExpired:
        line = f"{path} does not say within {ANSWERS_WITHIN:.0f} s what it is: name another"
        raise ServerError(line) from None
    return done.stdout, done.stderr.strip().partition("\n")[0]


def _parse(path: Path, output: str, complaint: str = "") -> Program:
    version = re.search(r"Ver (\d+(?:\.\d+)+)", output)
    if not version:
        why = f": {complaint}" if complaint else ""
        raise ServerError(f"{path} is not a MySQL or MariaDB server program that runs here{why}")
    family = "MariaDB" if "MariaDB" in output else "MySQL"
    numbers = tuple(map(int, version[1].split(".")))
    return Program(path, family, numbers, output[version.start() :].strip())
