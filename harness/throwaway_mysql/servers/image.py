"""A folder in one file: written once, checked and laid out again many times."""

import errno
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

PAGE = 16384  # bytes; InnoDB's
ZEROS = bytes(PAGE)
MAGIC = b"throwaway-mysql 1\n"
DIGEST = hashlib.sha256  # which the processors of today have in hardware


class DamagedError(Exception):
    """A file is not a whole image."""


def pack(folder: Path, image: Path) -> None:
    """Write all that is in a folder into one file, without the pages that are empty.

    A server's data are mostly empty pages. Raises OSError.
    """
    index: dict[str, Any] = {"folders": [], "files": []}
    pages: list[bytes] = []
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_dir():
            index["folders"].append(name)
        else:
            extents = list(_extents(path))
            index["files"].append((name, path.stat().st_size, [(at, len(b)) for at, b in extents]))
            pages += [data for _, data in extents]
    header = json.dumps(index).encode()
    parts = [MAGIC, len(header).to_bytes(8, "little"), header, *pages]
    digest = DIGEST()
    with image.open("wb") as file:
        for part in parts:
            digest.update(part)
            file.write(part)
        file.write(digest.digest())


def unpack(image: Path, folder: Path) -> None:
    """Lay out in `folder`, which is new or empty, what the image holds.

    Raises DamagedError where the image isn't what pack() wrote, FileNotFoundError where
    there is none, and other OSErrors.
    """
    view = memoryview(image.read_bytes())
    end = len(view) - DIGEST().digest_size
    if end < 0 or DIGEST(view[:end]).digest() != view[end:]:
        raise DamagedError(f"{image} is damaged")
    begin = len(MAGIC) + 8
    at = begin + int.from_bytes(view[len(MAGIC) : begin], "little")
    index = json.loads(bytes(view[begin:at]))
    for name in index["folders"]:
        (folder / name).mkdir(mode=0o700, exist_ok=True)
    for name, size, extents in index["files"]:
        at = _lay_out(f"{folder}/{name}", size, extents, view, at)


def _extents(path: Path) -> Iterator[tuple[int, bytes]]:
    """Return where the pages that are not empty are, and what is in them."""
    at, run = 0, b""
    with path.open("rb") as file:
        while page := file.read(PAGE):
            if page != ZEROS[: len(page)]:
                run += page
            elif run:
                yield at - len(run), run
                run = b""
            at += len(page)
    if run:
        yield at - len(run), run


def _lay_out(
    path: str, size: int, extents: Sequence[tuple[int, int]], view: memoryview, at: int
) -> int:
    """Write one file whose pages are at `at`; return where the next one's are."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        for offset, length in extents:
            written = os.pwrite(descriptor, view[at : at + length], offset)
            if written != length:  # the disk is full just here
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
            at += length
        os.truncate(descriptor, size)
    finally:
        os.close(descriptor)
    return at
