"""Where an Alembic project has its files, read without Alembic, which takes long to import."""

import importlib.util
import os
import re
import tomllib
from collections.abc import Mapping
from configparser import ConfigParser
from configparser import Error as IniError
from pathlib import Path

from throwaway_mysql import ServerError

NAMES = (
    *("script_location", "version_locations", "prepend_sys_path"),
    *("path_separator", "version_path_separator"),
)
SEPARATORS = {"space": " ", "newline": "\n", "os": os.pathsep, ":": ":", ";": ";"}
Named = str | list[str] | None  # an option's value


def script_location(ini: Path) -> Path | None:
    """Return the folder with env.py, or None where only Alembic can tell."""
    named = _options(ini).get("script_location")
    return _folder(named, ini) if isinstance(named, str) else None


def folders(ini: Path) -> list[Path] | None:
    """Return all folders that hold revisions or env.py, or None where only Alembic can tell.

    `ini` is an alembic.ini, or a pyproject.toml with a table [tool.alembic]. See "Editing the
    .ini File" in Alembic's tutorial.
    """
    options = _options(ini)
    named = _split(options.get("version_locations"), _separator(options), r", *|(?: +)")
    found = [script_location(ini), *(_folder(name, ini) for name in named)]
    known = [folder for folder in found if folder]
    return known if len(known) == len(found) else None


def prepended(ini: Path) -> list[Path]:
    """Return the folders that Alembic puts before sys.path, from where the program runs."""
    options = _options(ini)
    named = options.get("prepend_sys_path")
    found = _split(named, options.get("path_separator"), r", *|(?: +)|:")
    return [Path(name).absolute() for name in found]


def here(ini: Path) -> str:
    """Return what `%(here)s` of an ini is to stand for: its folder, a % of whose name is one."""
    return ini.absolute().parent.as_posix().replace("%", "%%")


def _options(ini: Path) -> dict[str, str | list[str]]:
    """Return what is set of the options that name folders; an ini's word goes before a toml's."""
    if not ini.exists():
        raise ServerError(f"there is no {ini}: correct the path")
    toml = ini if ini.suffix == ".toml" else ini.with_name("pyproject.toml")
    options = _toml_options(toml)
    if ini != toml:
        parser = ConfigParser({"here": here(ini)})
        parser.read(ini, encoding="utf-8")
        try:
            found = {name: parser.get("alembic", name, fallback=None) for name in NAMES}
        except IniError:  # an interpolation of what only a program knows
            return {}
        options |= {name: value for name, value in found.items() if value}
    return options if _separator(options) in {None, *SEPARATORS} else {}  # as Alembic will say


def _separator(options: Mapping[str, str | list[str]]) -> str | None:
    separator = options.get("path_separator") or options.get("version_path_separator")
    return str(separator) if separator else None


def _toml_options(toml: Path) -> dict[str, str | list[str]]:
    if not toml.exists():
        return {}
    folder = {"here": toml.absolute().parent.as_posix()}
    table = tomllib.loads(toml.read_text(encoding="utf-8")).get("tool", {}).get("alembic", {})
    options: dict[str, str | list[str]] = {}
    for name, value in table.items():
        if isinstance(value, str):
            options[name] = value % folder
        elif name in {"version_locations", "prepend_sys_path"}:
            options[name] = [item % folder for item in value]
    return options


def _split(named: Named, separator: Named, otherwise: str) -> list[str]:
    """Return the parts of an option; `otherwise` is what parts them where no separator is set."""
    if not isinstance(named, str):
        return named or []
    if separator is None:
        return re.split(otherwise, named)
    return [part.strip() for part in named.split(SEPARATORS[str(separator)]) if part.strip()]


def _folder(named: str, ini: Path) -> Path | None:
    """Return the folder of a path, or of `package:path`, or None where there is none."""
    if ":" in named and not Path(named).is_absolute():
        package, *rest = named.split(":")
        try:
            spec = importlib.util.find_spec(package)
        except ImportError:
            return None
        roots = list(spec.submodule_search_locations or []) if spec else []
        return Path(roots[0], *rest) if len(roots) == 1 else None
    # Alembic takes a relative one from where the program runs, we also from the ini.
    places = [Path(named).absolute(), ini.absolute().parent / named]
    return next((place for place in places if place.is_dir()), None)
