"""A new server's data folder, copied from a template, which is made if missing.

A template is a folder in the user's cache. It has all files of a data folder, without their empty
pages, and an index of them. Its only account is root, without a password.
"""

import errno
import json
import os
import re
import shutil
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from throwaway_mysql import cache
from throwaway_mysql.errors import ServerError
from throwaway_mysql.process import (
    arguments,
    make_ready,
    start,
    throwaway_flags,
    wait_for_end,
)
from throwaway_mysql.program import Program, ask

RECIPE = 4  # increase it when the contents of templates change
INDEX = "index.json"
ZONES = Path("/usr/share/zoneinfo")
# Files that each server makes anew: its replication UUID, its hot pages, temporary tables.
SINGLE = ("auto.cnf", "ib_buffer_pool", "ibtmp1")
PAGE = 16384  # bytes; InnoDB's
EMPTY = bytes(PAGE)
# What mariadb-install-db feeds to the server. The script itself needs a program that Debian's
# mariadb-server-core lacks, and as root it changes system files.
SYSTEM_TABLES = ("system_tables.sql", "performance_tables.sql", "system_tables_data.sql")


def install(program: Program, flags: Sequence[str], folder: Path) -> None:
    """Make the data folder `data` in a folder that only this user may enter, with `server.log`.

    A folder `part` was left by a killed process. Raises ServerError and OSError.
    """
    template, part = template_of(program, flags), folder / "part"
    shutil.rmtree(part, ignore_errors=True)
    if not template or not unpack(template, part):
        initialise(program, flags, part)
        if template:
            cache.keep(template, partial(pack, part))
    part.rename(folder / "data")


def initialise(program: Program, flags: Sequence[str], data: Path) -> None:
    """Let the program make a data folder, with the system tables and time zones."""
    from throwaway_mysql import timezones  # only now: a template has them already

    log, script = data.with_name("server.log"), data.with_name("bootstrap.sql")
    data.mkdir(mode=0o700)
    make_ready(data)
    lines = _system_tables(program) if program.family == "MariaDB" else []
    script.write_text("\n".join([*lines, *timezones.statements(), ""]), encoding="utf-8")
    # A server with other flags accepts data made with throwaway_flags().
    argv = arguments(program, data, *throwaway_flags(program), *flags)
    if program.family == "MariaDB":
        argv += ["--bootstrap", "--log-warnings=0"]
    else:
        argv += ["--initialize-insecure", f"--init-file={script}"]
    process = start(argv, log, script)
    try:
        wait_for_end(process, log, "the data folder could not be made")
    finally:
        process.kill()
        process.wait()
    script.unlink()
    for name in SINGLE:
        (data / name).unlink(missing_ok=True)


def copy(source: Path, target: Path) -> dict[str, list[int]]:
    """Copy a folder without its files' empty pages; return each file's size and checksum."""
    copied = {}
    for folder, _, names in os.walk(source):
        name = folder.removeprefix(str(source))
        Path(f"{target}{name}").mkdir(mode=0o700)
        for file in names:
            copied[f"{name}/{file}"] = _copy_file(f"{folder}/{file}", f"{target}{name}/{file}")
    return copied


def system_tables(share: Path) -> list[Path]:
    """Return the SQL files that make MariaDB's system tables, in the order to run them.

    MariaDB 11 renamed them. Raises ServerError if `share` lacks one.
    """
    for family in ("mariadb", "mysql"):
        files = [share / f"{family}_{name}" for name in SYSTEM_TABLES]
        if all(file.exists() for file in files):
            return files
    raise ServerError(f"the server is installed without its SQL files, such as {files[0]}")


def template_of(program: Program, flags: Sequence[str]) -> Path | None:
    """Return the path of the template for a program and its options, which may not exist.

    Options with a path are specific to one run: their template would never be used again.
    """
    if any("/" in flag for flag in flags):
        return None
    path = program.path.resolve()
    status = path.stat()
    zones = ZONES.stat().st_mtime_ns if ZONES.exists() else 0
    made_of = (RECIPE, program.build, str(path), status.st_size, status.st_mtime_ns, zones, *flags)
    return cache.entry(*made_of)


def pack(data: Path, template: Path) -> None:
    """Make a template from a data folder."""
    template.mkdir()
    (template / INDEX).write_text(json.dumps(copy(data, template / "data")))


def unpack(template: Path, data: Path) -> bool:
    """Make a data folder from a template; return whether that was there and intact."""
    try:
        index = json.loads((template / INDEX).read_text())
    except (OSError, ValueError):
        return False
    with suppress(OSError):  # it is read-only
        os.utime(template)  # marks it as used
    with suppress(FileNotFoundError, PermissionError):
        if copy(template / "data", data) == index:
            return True
    shutil.rmtree(data, ignore_errors=True)
    return False


def _copy_file(source: str, target: str) -> list[int]:
    """Copy a file without its empty pages; return its size and checksum. Raises OSError."""
    read = os.open(source, os.O_RDONLY)
    write = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    checksum = 0
    try:
        size = os.fstat(read).st_size
        for at, page in _pages(read, size):
            checksum = zlib.crc32(page, checksum)
            if os.pwrite(write, page, at) != len(page):  # the disk is full
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), target)
        os.truncate(write, size)
    finally:
        os.close(read)
        os.close(write)
    return [size, checksum]


def _pages(descriptor: int, size: int) -> Iterator[tuple[int, bytes]]:
    """Yield the offset and the bytes of each page that is not empty."""
    at = 0
    while at < size:
        try:
            data = os.lseek(descriptor, at, os.SEEK_DATA)
        except OSError:  # only a hole is left
            return
        end = os.lseek(descriptor, data, os.SEEK_HOLE)
        for at in range(data - data % PAGE, end, PAGE):
            page = os.pread(descriptor, PAGE, at)
            if page != EMPTY[: len(page)]:
                yield at, page
        at += PAGE


def _system_tables(program: Program) -> Iterator[str]:
    """Yield the SQL that makes MariaDB's system tables, and root without a password."""
    yield from ("create database mysql;", "use mysql;", "set @auth_root_socket=null;")
    for file in system_tables(_share(program)):
        # Like the installer, make no account for this machine's name.
        lines = file.read_text(encoding="utf-8").splitlines()
        yield from (line for line in lines if "@current_hostname" not in line)
    yield "alter table time_zone_transition transactional=0;"  # else it leaves 3 MB of log
    # The files make a root for each loopback address.
    yield "delete from global_priv where user = 'root' and host <> 'localhost';"


def _share(program: Program) -> Path:
    output = ask(program.path, "--verbose", "--help").stdout
    found = re.search(r"^character-sets-dir\s+(\S.*?)/?$", output, re.M)
    return Path(found[1]).parent if found else Path("/usr/share/mysql")
