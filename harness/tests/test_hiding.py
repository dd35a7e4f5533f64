"""Passwords, which no report of a failed test shows: real runs of pytest."""

import re
import subprocess
from collections.abc import Callable

import pytest

from throwaway_mysql.masked import Masked

RunProject = Callable[..., "subprocess.CompletedProcess[str]"]

PASSWORD = "veiled é"  # noqa: S105 (a test's own)
SHOWN = r"veiled|\\xa9|b'v'"  # it, its end in UTF-8, or its first byte
# Each line fails as a test of its own. What it names is shown by --showlocals.
FAILING = """
assert db["DB_PASSWORD"] == "another"
assert db["DB_PASSWORD"].encode() == b"another"
assert db.url() == "mysql://another"
assert "mysql" not in db.url()
assert [db.url()] == ["mysql://another"]
assert {**db} == {"DB_HOST": "another"}
assert db == {"DB_HOST": "another"}
assert db | {"X": 1} == {"DB_HOST": "another"}
assert account == replace(account, password="another")
assert Settings("one", account) == Settings("one", replace(account, password="another"))
assert Pair("one", db.url()) == Pair("one", "mysql://another")
found = {"DB_PASSWORD": db.environ()["DB_PASSWORD"]}; assert not found
found = list((os.environ | db.environ()).values())[-2:]; assert not found
found = list((db.environ() | os.environ).values())[:6]; assert not found
subprocess.run(["/nowhere"], env=db.environ())
subprocess.run(["false"], env=db.environ(), check=True)
monkeypatch.setenv("X", db["DB_PASSWORD"]); assert os.environ["X"] == "another"
""".strip().splitlines()
HEAD = f"""
import os, subprocess
from dataclasses import dataclass, replace
from typing import NamedTuple
import pytest
from throwaway_mysql import Login

@dataclass
class Settings:
    name: str
    login: Login

class Pair(NamedTuple):
    name: str
    url: str

@pytest.fixture
def db(create_db):
    return create_db | {{"DB_PASSWORD": "{PASSWORD[::-1]}"[::-1]}}

@pytest.fixture
def account(db):
    return Login("there", 3306, "root", db["DB_PASSWORD"])
"""
TEST = """
def test_{}(db, account, monkeypatch):
    {}
"""


@pytest.mark.parametrize("verbosity", ["-q", "-v", "-vv"])
def test_a_report_of_a_failed_test_shows_no_password(
    run_project: RunProject, verbosity: str
) -> None:
    tests = "".join(TEST.format(number, line) for number, line in enumerate(FAILING))
    said = run_project(verbosity, "--showlocals", "--tb=long", test_it=HEAD + tests).stdout
    assert f"{len(FAILING)} failed" in said
    assert "'***' == 'another'" in said
    assert "'DB_PASSWORD': '***'" in said
    assert [line for line in said.splitlines() if re.search(SHOWN, line)] == []


def test_settings_hide_what_is_named_as_a_secret() -> None:
    names = ["DB_PASSWORD", "passwd", "MYSQL_PWD", "SECRET_KEY", "api_token", "DB_URI"]
    settings = Masked({"DB_HOST": "there"}, **dict.fromkeys(names, "veiled"))
    assert repr({**settings}) == repr({"DB_HOST": "there"} | dict.fromkeys(names, "***"))


def test_the_environment_of_a_program_has_the_password(run_project: RunProject) -> None:
    module = f"""{HEAD}
def test_it(db):
    assert type(db.environ()) is dict  # what uvloop wants
    said = subprocess.run(["env"], env=os.environ | db.environ(), stdout=subprocess.PIPE).stdout
    assert "DB_PASSWORD={PASSWORD}" in said.decode().splitlines()
"""
    assert "1 passed" in run_project(test_it=module).stdout
