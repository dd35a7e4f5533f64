"""The settings files `.env` and `.quartenv`, which add to the environment; it takes precedence.

Every command reads those beside settings.py. `quart` also reads some by itself, before the app:
those in the folder where it runs, or in the nearest folder above that has them.
"""

import os
import re
from collections.abc import Collection, Iterable, Iterator
from io import StringIO
from pathlib import Path

import click
from click.core import ParameterSource
from dotenv import dotenv_values, find_dotenv, load_dotenv
from dotenv.parser import Binding, parse_stream
from dotenv.variables import Variable, parse_variables

NAMES = (".env", ".quartenv")  # the first wins, as with `quart`


def load(folder: Path) -> list[str]:
    """Load a folder's files; return a line for each problem in them."""
    problems: list[str] = []
    for file in map(folder.joinpath, NAMES):
        if not file.exists() or file.is_dir():
            continue
        try:
            text = file.read_bytes().decode(errors="surrogateescape")
        except OSError as error:
            problems.append(f"{file.name} cannot be read: {error.strerror}")
            continue
        problems += _problems_in(file.name, text)
        if not problems:
            load_dotenv(stream=StringIO(text))
    return problems


def _problems_in(file: str, text: str) -> Iterator[str]:
    """Yield a problem for each line that python-dotenv would drop or misread."""
    known = set(os.environ)
    for binding in parse_stream(StringIO(text)):
        if problem := _problem_of(binding, known):
            written = binding.original.string
            blank, name = re.findall(r"^(\s*)(?:export\s+)?(?:(\w+)\s*(?:=|$))?", written)[0]
            line = binding.original.line + blank.count("\n")
            yield f"{name or 'A line'} in {file}, line {line}, {problem}"
        known.add(binding.key or "")


def _problem_of(binding: Binding, known: set[str]) -> str:
    if re.search(r"[\udc80-\udcff]", binding.original.string):
        return "has bytes that are not UTF-8: save the file as UTF-8"
    if "\0" in binding.original.string:
        return "has a NUL, which no variable can have: remove it"
    if binding.error or (binding.key and binding.value is None):
        return "must be NAME=value, where a quote that begins the value ends it too"
    for part in parse_variables(binding.value or ""):
        if isinstance(part, Variable) and part.default is None and part.name not in known:
            return "has a ${NAME} that is not set: write ${:-${} for a literal ${"
    return ""


def read_by_quart_alone(folder: Path, names: Collection[str]) -> list[str]:
    """Return a line for each of the variables `names` that `quart` has read elsewhere."""
    context = click.get_current_context(silent=True)
    quart = context.find_root() if context else None
    if not quart or type(quart.command).__name__ != "QuartGroup":
        return []
    from quart.helpers import get_load_dotenv  # no other command pays for this

    if not get_load_dotenv():  # QUART_SKIP_DOTENV
        return []
    if quart.get_parameter_source("env_file") not in {None, ParameterSource.DEFAULT}:
        return ["quart -e reads its file last, so .env and .quartenv win: put the values into .env"]
    found = [find_dotenv(name, usecwd=True) for name in NAMES]
    files = [file for file in found if file and not Path(file).parent.samefile(folder)]
    ours = _values(folder / name for name in NAMES)
    return [
        f"{name} is from {file}, which only quart reads: make a {folder / '.env'}, if need be an "
        f"empty one, and run quart beside it"
        for file in files
        for name, value in _values([file]).items()
        if name in names and os.environ.get(name) == value != ours.get(name)
    ]


def _values(files: Iterable[Path | str]) -> dict[str, str | None]:
    values: dict[str, str | None] = {}
    for file in files:
        values = dotenv_values(file) | values
    return values
