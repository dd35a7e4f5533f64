"""What makes a schema, and the key under which a copy of what it made is kept.

Only files are read for a key: Alembic and SQLAlchemy are imported when a schema is made.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Protocol

from throwaway_mysql import ServerError
from throwaway_mysql.login import Login
from throwaway_mysql.schemas import ini
from throwaway_mysql.schemas.imports import own_imports
from throwaway_mysql.schemas.sources import is_told, sources

# Makes tables or rows in the database of that name.
Step = Callable[[Login, str], None]
Named = str | Path  # a path; a relative one is from the folder where the program runs
ENV = "env.py"
RECORD = "recorded-revisions.txt"  # beside env.py: see throwaway_mysql.schemas.recorded


class Schema(Protocol):
    """What makes the schema of a throwaway database."""

    def key(self, server: str) -> str | None:
        """Return what all that it makes depends on, hashed; None where that is not known.

        `server` tells of the server what may matter. What has no key is made anew each time.
        """

    def make(self, login: Login, database: str) -> str | None:
        """Make the schema, and its rows, in an empty database.

        Returns why a copy would lack something, where that is known: then there is none.
        """


@dataclass(frozen=True)
class AlembicSchema:
    """The schema that an Alembic project's revisions make, and what `seed` puts into it.

    `ini` is its alembic.ini (or a pyproject.toml), whose env.py must use the connection in
    `config.attributes["connection"]` where there is one (Alembic's cookbook, "Sharing a
    Connection"). The key is made of the content of the ini, of all files beside env.py and in
    the version locations, of the modules that revisions import and that are not installed
    packages, of `seed` and its file, and of the versions of Alembic and SQLAlchemy.

    What env.py imports, such as models and settings, is not in it, as revisions and not models
    make a schema. Where a revision, env.py or the seed reads anything else that decides what
    comes out (a table prefix that env.py takes from the settings, a file of rows), name these
    files or folders in `also`, or a change there is not noticed, as in the environment. With a seed
    there are copies only where `also` says what that depends on, if only with ().
    """

    ini: Named
    seed: Step | None = None
    also: Named | Sequence[Named] | None = None

    def key(self, server: str) -> str | None:
        """Hash the files; None where the ini's folders or the seed's file cannot be found."""
        if _is_other(self, AlembicSchema):
            return None
        path = Path(self.ini)
        folders = ini.folders(path)
        if folders is None or (self.seed and (self.also is None or not is_told(self.seed))):
            return None
        toml = path.with_name("pyproject.toml")  # may have a part of the ini
        imports = own_imports(_revisions(folders), path.parent, ini.prepended(path))
        made_by = [path, *([toml] if toml.exists() else []), *folders, *sorted(imports)]
        roots = [*made_by, *_paths(self.also)]
        return _hash(["alembic", server, _versions(), *(sources(self.seed) or [])], roots)

    def make(self, login: Login, database: str) -> str | None:
        """Upgrade to the newest revisions, then call the seed.

        Returns what a revision or env.py did outside of the database, on its given connection.
        """
        try:
            from throwaway_mysql.schemas.alembic_project import AlembicProject
        except ModuleNotFoundError as error:
            missing = f"AlembicSchema needs {error.name}: pip install alembic sqlalchemy"
            raise ServerError(missing) from None
        project = AlembicProject(Path(self.ini), login, database)
        project.upgrade()
        if self.seed:
            self.seed(login, database)
        did = project.outside
        return f"its migrations use {did}, which reaches beyond the database" if did else None


@dataclass(frozen=True)
class CallableSchema:
    """The schema that a callable makes, such as one that runs a file of SQL.

    They are called for each database, unless it is known what they depend on: then once for
    each content of the files that they are written in and of `also`, the other files and
    folders that they read or import, such as that of the models (() where there are none); or
    once for each `version`, which stands for all else that decides what comes out, and which
    closures, methods, partials and callables with default arguments need. Their files, code and
    plain values count with a version, too; what has no file is called for each database.
    """

    call: Step
    seed: Step | None = None
    also: Named | Sequence[Named] | None = None
    version: str = ""

    def key(self, server: str) -> str | None:
        """Hash the callables' files; None where nobody said what they depend on."""
        if _is_other(self, CallableSchema):
            return None
        steps = [self.call, self.seed] if self.seed else [self.call]
        if not self.version and (self.also is None or not all(map(is_told, steps))):
            return None
        texts = ["callable", server, self.version, _versions()]
        for step in steps:
            known = sources(step)
            if known is None:
                return None
            texts += known
        return _hash(texts, _paths(self.also))

    def make(self, login: Login, database: str) -> None:
        """Call it, then the seed."""
        self.call(login, database)
        if self.seed:
            self.seed(login, database)


def _is_other(schema: Schema, kind: type[Schema]) -> bool:
    """Tell whether it is a subclass that may make something else, and has no key of its own."""
    return type(schema) is not kind and type(schema).key is kind.key


def _paths(also: Named | Sequence[Named] | None) -> list[Path]:
    """Return the paths that `also` names; a single one need not be in a list."""
    return list(map(Path, [also] if isinstance(also, Named) else also or []))


def _hash(texts: Sequence[str], roots: Iterable[Path]) -> str:
    """Hash texts and files, each with its length so that none runs into the next."""
    hashed = hashlib.sha256()

    def add(content: bytes) -> None:
        hashed.update(b"%d:" % len(content) + content)

    for text in texts:
        add(text.encode())
    for root in roots:
        if not root.exists():
            raise ServerError(f"there is no {root}: correct the path")
        for path in [root] if root.is_file() else sorted(_files(root)):
            add(path.name.encode() if path == root else str(path.relative_to(root)).encode())
            add(path.read_bytes())
    return hashed.hexdigest()


def _revisions(folders: Iterable[Path]) -> Iterator[Path]:
    """Yield the revisions, and what may be beside env.py for them."""
    for folder in folders:
        yield from (file for file in _files(folder) if file.suffix == ".py" and file.name != ENV)


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files that a revision may read: compiled ones, templates and hidden ones not."""
    for path in folder.iterdir():
        if path.name.startswith(".") or path.name in {"__pycache__", RECORD}:
            continue
        if path.is_dir():
            yield from _files(path)
        elif path.suffix != ".mako":
            yield path


@cache
def _versions() -> str:
    """Return the versions of what may write the SQL, as far as it is installed."""
    found = []
    for name in ("alembic", "sqlalchemy"):
        with suppress(metadata.PackageNotFoundError):
            found.append(f"{name} {metadata.version(name)}")
    return " ".join(found)
