"""Load this machine's time zones into the server tables that CONVERT_TZ() reads.

The servers' own loaders are not in the packages that this one requires.
"""

import re
import struct
import zoneinfo
from collections.abc import Iterator
from pathlib import Path

HEADER = struct.Struct(">4sc15x6I")  # RFC 8536, 3.1
LAST = 2**31  # the end of TIMESTAMP's range, which begins in 1970; nothing outside is converted
CHUNK = 400  # rows of a statement: a line of a bootstrap script may have 20,000 bytes
NAME = re.compile("[A-Za-z0-9_+/-]+")
TABLES = ("time_zone", "time_zone_name", "time_zone_transition_type", "time_zone_transition")

Type = tuple[int, int, str]  # seconds east of UTC, whether it is summer time, abbreviation


def statements() -> Iterator[str]:
    """Yield the SQL that fills a new server's tables. Aliases of a zone share its rows."""
    rows: dict[str, list[str]] = {table: [] for table in TABLES}
    for zone, (data, names) in enumerate(_files().items(), start=1):
        types, transitions = read(data)
        rows["time_zone"].append(f"({zone}, 'N')")
        rows["time_zone_name"] += [f"('{name}', {zone})" for name in names]
        rows["time_zone_transition_type"] += [
            f"({zone}, {index}, {offset}, {is_dst}, '{name}')"
            for index, (offset, is_dst, name) in enumerate(types)
        ]
        rows["time_zone_transition"] += [f"({zone}, {at}, {index})" for at, index in transitions]
    for table, values in rows.items():
        for begin in range(0, len(values), CHUNK):
            text = ", ".join(values[begin : begin + CHUNK])
            yield f"INSERT INTO mysql.{table} VALUES {text};"  # noqa: S608


def read(data: bytes) -> tuple[list[Type], list[tuple[int, int]]]:
    """Return a zone file's local time types, and its transitions: when each type begins."""
    # Like mysql_tzinfo_to_sql, ignore the rule at the end for times after the last transition.
    # Debian's files list all transitions until 2037.
    _, _, utc, standard, leap, times, kinds, letters = HEADER.unpack_from(data)
    at = HEADER.size + 5 * times + 6 * kinds + letters + 8 * leap + standard + utc
    _, _, _, _, _, times, kinds, letters = HEADER.unpack_from(data, at)  # now with 64 bits
    at += HEADER.size
    begins = struct.unpack_from(f">{times}q{times}B", data, at)
    at += 9 * times
    names = data[at + 6 * kinds : at + 6 * kinds + letters]
    types = [
        (offset, is_dst, names[index:].partition(b"\0")[0].decode())
        for offset, is_dst, index in struct.iter_unpack(">iBB", data[at : at + 6 * kinds])
    ]
    transitions = list(zip(begins[:times], begins[times:], strict=True))
    old = [item for item in transitions if item[0] <= 0]
    return types, old[-1:] + [item for item in transitions if 0 < item[0] < LAST]


def _files() -> dict[bytes, list[str]]:
    """Return the zones' names by the contents of their files."""
    files: dict[bytes, list[str]] = {}
    for name in filter(NAME.fullmatch, sorted(zoneinfo.available_timezones())):
        paths = (Path(folder, name) for folder in zoneinfo.TZPATH)
        if path := next(filter(Path.is_file, paths), None):
            files.setdefault(path.read_bytes(), []).append(name)
    return files
