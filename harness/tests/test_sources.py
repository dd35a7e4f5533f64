"""Callables that one file has by the same name: each has a key of its own, in every process."""

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest

from throwaway_mysql.login import Login
from throwaway_mysql.schemas.schema import CallableSchema

Step = Callable[..., None]
Written = Callable[..., ModuleType]
# What two lambdas in one line do, and nothing else tells one from the other.
DIFFERENT = [
    ("'shop'", "'blog'"),
    ("1", "True"),
    ("0.0", "-0.0"),
    ("b'a'", "'a'"),
    ("...", "None"),
    ("database + login", "database - login"),
    ("database", "login"),
    ("shop()", "blog()"),
    ("login.shop", "login.blog"),
    ("(1, (2, 'a'))", "(1, (2, 'b'))"),
    ("database in {1, 2}", "database in {1, 3}"),
    ("database[1:2]", "database[1:3]"),
    ("lambda: lambda: 'shop'", "lambda: lambda: 'blog'"),
    ("lambda a: a in {('b', 1)}", "lambda a: a in {('b', 2)}"),
    ("[one for one in login if one == 1]", "[one for one in login if one == 2]"),
]
BRANCHES = """
def choose(part):
    if part == 'shop':
        def make(login, database): pass
    else:
        def make(login, database): pass
    return make
"""
CLASSES = """
class Base:
    def __init__(self, login, database): pass

def choose(part):
    if part == 'shop':
        class Make(Base):
            {}
    else:
        class Make(Base):
            {}
    return Make
"""
MEMBERS = [
    ("table = 'shop'", "table = 'blog'"),
    ("def make(self): 'shop'", "def make(self): 'blog'"),
    ("make = staticmethod(lambda: 'shop')", "make = staticmethod(lambda: 'blog')"),
    ("make = classmethod(lambda cls: 'shop')", "make = classmethod(lambda cls: 'blog')"),
]
# Constants in which sets have an order, and which a compiled file may share in another way.
MANY = """
def make(login, database):
    def inner():
        return login in {"a", "b", "c", "d", ("e", 1)}, ("a", "b")
    return database in {"e", "f", "g", "h"}, ("a", "b")

class Make:
    def __init__(self, login, database):
        self.zebra, self.ape, self.cat, self.dog = database in {"x", "y", "z"}, 1, 2, ("a", "b")

    def late(self):
        class Inner:
            def __init__(self):
                self.zebra, self.ape, self.cat, self.dog = 1, 2, 3, 4
        return Inner()
"""
PRINTS = """
import making
from throwaway_mysql import CallableSchema
for call in (making.make, making.Make):
    print(CallableSchema(call, also=()).key("11"))
print(CallableSchema(making.Make(1, 2).late, version="1").key("11"))
"""


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Written:
    """Return a function that returns a module `making` of some text."""

    def write(text: str, folder: str = "") -> ModuleType:
        file = tmp_path / folder / "making.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        spec = spec_from_file_location("making", file)
        assert spec
        assert spec.loader
        spec.loader.exec_module(module := module_from_spec(spec))
        monkeypatch.setitem(sys.modules, "making", module)  # where a class finds its file
        return module

    return write


def keys(call: Step) -> list[str | None]:
    """Return the keys of a callable's schemas: by `also`, by `version`, and as a seed."""
    schemas = [
        CallableSchema(call, also=()),
        CallableSchema(call, version="1"),
        CallableSchema(plain, call, also=()),
    ]
    found = [schema.key("11") for schema in schemas]
    assert None not in found
    return found


def plain(_login: Login, _database: str) -> None:
    """Do nothing."""


def differ(one: Step, other: Step) -> bool:
    """Tell whether no key of one is the other's."""
    assert one.__qualname__ == other.__qualname__
    return not set(keys(one)) & set(keys(other))


@pytest.mark.parametrize("bodies", DIFFERENT, ids=lambda bodies: bodies[0])
def test_two_lambdas_in_one_line_have_two_keys(written: Written, bodies: tuple[str, str]) -> None:
    lambdas = ", ".join(f"{number}: lambda login, database: {bodies[number]}" for number in (0, 1))
    made = written(f"MAKE = {{{lambdas}}}\n").MAKE
    assert differ(made[0], made[1])


def test_the_branches_of_an_if_have_two_keys(written: Written) -> None:
    choose = written(BRANCHES).choose
    assert differ(choose("shop"), choose("blog"))
    assert keys(choose("shop")) == keys(choose("shop"))


@pytest.mark.parametrize("members", MEMBERS, ids=lambda members: members[0])
def test_two_classes_of_one_name_have_two_keys(written: Written, members: tuple[str, str]) -> None:
    choose = written(CLASSES.format(*members)).choose
    assert differ(choose("shop"), choose("blog"))
    assert keys(choose("shop")) == keys(choose("shop"))


def test_a_method_of_two_classes_of_one_name_has_two_keys(written: Written) -> None:
    choose = written(CLASSES.format(*MEMBERS[1])).choose
    one, other = (
        CallableSchema(choose(part)(1, 2).make, version="1").key("11") for part in ("shop", "blog")
    )
    assert one != other


def test_a_key_is_the_same_in_each_process(tmp_path: Path) -> None:
    (tmp_path / "making.py").write_text(MANY)
    said = []
    for seed in ("1", "2", "2", "3"):  # compiled first, then read as it was compiled
        environ = {"PYTHONHASHSEED": seed, "PYTHONDONTWRITEBYTECODE": "1" if seed == "1" else ""}
        said.append(
            subprocess.run(
                [sys.executable, "-c", PRINTS],
                cwd=tmp_path,
                env=os.environ | environ,
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
    assert all(one == other for one, other in pairwise(said))
    assert len(set(said[0].split())) == 3


def test_a_key_does_not_change_with_use(written: Written) -> None:
    make = written(MANY).make
    before = keys(make)
    for _ in range(10_000):  # by then Python has adapted its code
        make("a", "e")
    assert keys(make) == before


def test_a_key_does_not_depend_on_the_place(written: Written) -> None:
    one, other = (keys(written(MANY, folder).make) for folder in ("one", "other"))
    assert one == other
