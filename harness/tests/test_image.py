"""A folder in one file: laid out as it was, or not at all."""

from collections.abc import Callable
from pathlib import Path

import pytest

from throwaway_mysql.servers.image import PAGE, DamagedError, pack, unpack

CONTENT = {
    "empty": b"",
    "short": b"x",
    "zeros": bytes(3 * PAGE),
    "short zeros": bytes(100),
    "page, then zeros": b"p" * PAGE + bytes(2 * PAGE),
    "zeros, then some": bytes(2 * PAGE) + b"some",
    "zeros between": b"p" * PAGE + bytes(PAGE) + b"q" * (2 * PAGE) + bytes(7),
    "folder/below/file": b"deep",
}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Return an image of a folder with that content."""
    folder = tmp_path / "source"
    (folder / "nothing").mkdir(parents=True)
    for name, content in CONTENT.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    pack(folder, tmp_path / "image")
    return tmp_path / "image"


def test_it_is_laid_out_as_it_was(image: Path, tmp_path: Path) -> None:
    folder = tmp_path / "target"
    folder.mkdir()
    unpack(image, folder)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {str(path.relative_to(folder)): path.read_bytes() for path in files} == CONTENT
    assert (folder / "nothing").is_dir()


def test_empty_pages_take_no_room(image: Path, tmp_path: Path) -> None:
    unpack(image, tmp_path)
    assert (tmp_path / "zeros").stat().st_size == 3 * PAGE
    assert (tmp_path / "zeros").stat().st_blocks == 0
    assert image.stat().st_size < 6 * PAGE


def flipped(at: float) -> Callable[[bytes], bytes]:
    """Return what turns a bit at that part of the whole."""

    def flip(content: bytes) -> bytes:
        place = int(at * (len(content) - 1))
        return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]

    return flip


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda _: b"",
    "cut short": lambda content: content[:-1],
    "cut in its middle": lambda content: content[: len(content) // 2],
    "longer": lambda content: content + b"x",
    "of zeros": lambda content: bytes(len(content)),
    "flipped at its begin": flipped(0),
    "flipped in its index": flipped(0.01),
    "flipped in a page": flipped(0.5),
    "flipped at its end": flipped(1),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_nothing_is_laid_out_of_one_that_is(image: Path, tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "target"
    folder.mkdir()
    image.write_bytes(DAMAGES[damage](image.read_bytes()))
    with pytest.raises(DamagedError):
        unpack(image, folder)
    assert list(folder.iterdir()) == []
