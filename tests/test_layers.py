"""The app's modules form layers, and each imports only from its own layer and those below."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.support.project import PROJECT

# From the top down. A room is a package or a module, with all that is in it.
LAYERS = (
    {"manage", "application", "migrations"},
    {"counter.api", "commands"},
    {"counter.page", "counter.fast_path", "counter.purge", "counter.durability"},
    {"counter.batching", "counter.http_errors", "web.openapi"},
    {"counter.models", "web"},
    {"counter.hits", "db", "db_connection", "db_errors", "db_tls", "settings", "dotfiles"},
)
FLOORS = {room: number for number, layer in enumerate(LAYERS) for room in layer}
TESTING = {"conftest", "testing"}


def room_of(name: str) -> str | None:
    """Return the room of a module, or of a name in it; None if it is not the app's."""
    parts = name.split(".")
    return next((room for room in (".".join(parts[:2]), parts[0]) if room in FLOORS), None)


def modules() -> Iterator[Path]:
    """Yield the app's modules."""
    for top in {room.partition(".")[0] for room in FLOORS}:
        for path in (PROJECT / f"{top}.py", *(PROJECT / top).rglob("*.py")):
            if path.exists() and not path.stem.startswith("test_") and path.stem not in TESTING:
                yield path.relative_to(PROJECT)


def imported(path: Path) -> Iterator[str]:
    """Yield the names that a module imports."""
    for node in ast.walk(ast.parse((PROJECT / path).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_imports_run_one_way() -> None:
    up = []
    for path in modules():
        own = room_of(".".join(path.with_suffix("").parts))
        for name in imported(path):
            other = room_of(name)
            if own and other and FLOORS[own] > FLOORS[other]:
                up.append(f"{path} imports {name}")
    assert not up
