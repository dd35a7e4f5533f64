"""Files of a project's own that its revisions import: what they make may depend on these."""

import ast
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache, partial
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path

INSTALLED = tuple(
    Path(sysconfig.get_path(name)).resolve()
    for name in ("stdlib", "platstdlib", "purelib", "platlib")
)
SITES = {"site-packages", "dist-packages"}  # as any environment names its folder of packages
Find = Callable[[str], ModuleSpec | None]  # is given the first part of a module's name


def own_imports(files: Iterable[Path], beside: Path, prepended: Sequence[Path] = ()) -> set[Path]:
    """Return the files of modules that `files` import, and those in turn, but for installed ones.

    Modules are looked for in the folders `prepended` to sys.path, where Python does it, and in the
    folder `beside`. What a call imports, such as importlib.import_module(), is not seen.
    """
    find = partial(_spec, beside, prepended)
    found: set[Path] = set()
    rest = list(files)
    while rest:
        new = _imported(rest.pop(), find) - found
        found |= new
        rest += [file for file in new if file.suffix == ".py"]
    return found


def _imported(file: Path, find: Find) -> set[Path]:
    status = file.stat()
    names = _names(file, status.st_mtime_ns, status.st_size)
    return {path for dots, name in names for path in _modules(dots, name, file, find)}


@cache
def _names(file: Path, *_state: int) -> set[tuple[int, str]]:
    """Return the dotted names that a file imports, each with the number of dots before it."""
    names: set[tuple[int, str]] = set()
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):  # as who runs it will be told
        return names
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {(0, alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = f"{node.module}." if node.module else ""
            names |= {(node.level, base + alias.name) for alias in node.names}
    return names


def _modules(dots: int, name: str, file: Path, find: Find) -> Iterator[Path]:
    """Yield the files of a module and of its packages; the last part may be no module."""
    top, *parts = name.split(".")
    if dots:
        folders, parts = [file.parents[dots - 1]], [top, *parts]
    else:
        spec = find(top)
        if not spec or not _is_own(spec):
            return
        if spec.origin:
            yield Path(spec.origin)
        folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    for part in parts:
        for folder in folders:
            files = (folder / f"{part}.py", folder / part / "__init__.py")
            yield from (path for path in files if path.is_file())
        folders = [folder / part for folder in folders if (folder / part).is_dir()]


def _spec(beside: Path, prepended: Sequence[Path], top: str) -> ModuleSpec | None:
    """Find a module that is in no package; nothing is imported."""
    found = None
    if prepended and top not in sys.modules:
        found = PathFinder.find_spec(top, [*map(str, prepended), *sys.path])
    try:
        found = found or find_spec(top)
    except (ImportError, ValueError):  # ValueError: it has none
        found = None
    return found or PathFinder.find_spec(top, [str(beside)])


def _is_own(spec: ModuleSpec) -> bool:
    places: Iterable[str | None] = spec.submodule_search_locations or ()
    if spec.has_location and not places:
        places = [spec.origin]
    paths = [Path(place).resolve() for place in places if place]
    return bool(paths) and not any(map(_is_installed, paths))


def _is_installed(path: Path) -> bool:
    """Tell whether a file or folder of sys.path is a package that was installed, anywhere."""
    if path.parent.name in SITES or any(path.is_relative_to(there) for there in INSTALLED):
        return True
    return path.name in _recorded(path.parent)


@cache
def _recorded(folder: Path) -> set[str]:
    """Return what pip has put into a folder, such as that of --target: see PEP 376's RECORD."""
    found: set[str] = set()
    for record in folder.glob("*.dist-info/RECORD"):
        with suppress(OSError):
            lines = record.read_text(encoding="utf-8", errors="replace").splitlines()
            found |= {line.partition(",")[0].partition("/")[0] for line in lines}
    return found
