"""The time zones of this machine, in the tables of a server that CONVERT_TZ() reads.

The servers' own programs for that are not in the packages that are needed here.
"""

import re
import struct
import zoneinfo
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

HEADER = struct.Struct(">4sc15x6I")  # RFC 8536, 3.1
LAST = 2**31  # where TIMESTAMP ends; before 1970, where it begins, nothing is converted either
STEP = 28 * 24 * 3600  # seconds; no rule for years to come changes a clock twice within that
CHUNK = 400  # rows of a statement: a line of a script that makes data may have 20,000 bytes
NAME = re.compile("[A-Za-z0-9_+/-]+")
COLUMNS = {
    "time_zone": "Time_zone_id, Use_leap_seconds",
    "time_zone_name": "Name, Time_zone_id",
    "time_zone_transition_type": (
        "Time_zone_id, Transition_type_id, `Offset`, Is_DST, Abbreviation"
    ),
    "time_zone_transition": "Time_zone_id, Transition_time, Transition_type_id",
}

Type = tuple[int, int, str]  # seconds east of UTC, whether it is summer time, abbreviation


def statements() -> Iterator[str]:
    """Yield the SQL that fills the tables of a new server. Names of one zone share its rows."""
    rows: dict[str, list[str]] = {table: [] for table in COLUMNS}
    for zone, (data, names) in enumerate(_files().items(), start=1):
        types, transitions = read(data, names[0])
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
            yield f"INSERT INTO mysql.{table} ({COLUMNS[table]}) VALUES {text};"  # noqa: S608


def read(data: bytes, key: str) -> tuple[list[Type], list[tuple[int, int]]]:
    """Return the types of time that a zone's file has, and when which of them begins."""
    _, _, *counts = HEADER.unpack_from(data)
    utc, standard, leap, times, kinds, letters = counts
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
    if b"," in data.rpartition(b"\n")[0].rpartition(b"\n")[2]:  # a rule for all later years
        transitions += _later(key, types, max(begins[:times], default=0))
    old = [item for item in transitions if item[0] <= 0]
    return types, old[-1:] + [item for item in transitions if 0 < item[0] < LAST]


def _later(key: str, types: list[Type], begin: int) -> Iterator[tuple[int, int]]:
    """Yield when which type begins after the last time that the file names."""
    zone = zoneinfo.ZoneInfo(key)

    def type_at(time: int) -> Type:
        there = datetime.fromtimestamp(time, zone)
        offset, dst = there.utcoffset(), there.dst()
        assert offset is not None  # noqa: S101 (it has a zone)
        return int(offset.total_seconds()), int(bool(dst)), there.tzname() or ""

    current = type_at(begin)
    for step in range(begin, LAST, STEP):
        if type_at(step + STEP) == current:
            continue
        before, after = step, step + STEP
        while after - before > 1:
            middle = (before + after) // 2
            before, after = (middle, after) if type_at(middle) == current else (before, middle)
        current = type_at(after)
        if current not in types:
            types.append(current)
        yield after, types.index(current)


def _files() -> dict[bytes, list[str]]:
    """Return the names of the zones by what is in their files."""
    files: dict[bytes, list[str]] = {}
    for name in filter(NAME.fullmatch, sorted(zoneinfo.available_timezones())):
        for folder in zoneinfo.TZPATH:
            if (path := Path(folder, name)).is_file():
                data = path.read_bytes()
                if data[4:5] >= b"2":  # before 2006, files had 32 bits only
                    files.setdefault(data, []).append(name)
                break
    return files
