"""Fixtures of the tests that make and drop databases."""

import json
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict

import pytest

from throwaway_mysql.accounts import identifier
from throwaway_mysql.login import Login
from throwaway_mysql.looking import databases

# A run with one database that lives until its input ends.
HOLDER = """
import json, sys
from throwaway_mysql.database import throwaway_database
from throwaway_mysql.login import Login
from throwaway_mysql.ownership import Run

login, prefix = json.loads(sys.stdin.readline())
with throwaway_database(Login(**login), "", Run.begin(prefix)) as coordinates:
    print(coordinates["DATABASE_NAME"], flush=True)
    sys.stdin.read()
"""

Start = Callable[..., tuple["subprocess.Popen[str]", str]]


@pytest.fixture
def prefix(mysql_root: Login) -> Iterator[str]:
    """Return a prefix of this test's own; all that has it is dropped at the end."""
    prefix = f"p{secrets.token_hex(4)}_test_"
    yield prefix
    with mysql_root.connect() as connection, connection.cursor() as cursor:
        for name in databases(mysql_root):
            if name.startswith(prefix):
                cursor.execute(f"DROP DATABASE {identifier(name)}")


@pytest.fixture(params=["root", "narrow"])
def account(request: pytest.FixtureRequest, mysql_root: Login, prefix: str) -> Iterator[Login]:
    """Return root's account, and one that may do nothing but in databases with the prefix."""
    if request.param == "root":
        yield mysql_root
        return
    user, password = prefix.removesuffix("_test_"), secrets.token_hex(8)
    pattern = prefix.replace("_", r"\_") + "%"
    with mysql_root.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE USER {user} IDENTIFIED BY '{password}'")
        cursor.execute(f"GRANT ALL ON `{pattern}`.* TO {user}")
        yield Login(mysql_root.host, mysql_root.port, user, password)
        cursor.execute(f"DROP USER {user}")


@pytest.fixture
def start_run() -> Iterator[Start]:
    """Return a function that starts another run; it returns the process and its database."""
    with ExitStack() as stack:

        def start(
            login: Login, prefix: str, script: str = HOLDER
        ) -> tuple["subprocess.Popen[str]", str]:
            process = subprocess.Popen(
                [sys.executable, "-c", script],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            stack.callback(process.__exit__, None, None, None)
            stack.callback(process.kill)
            given = json.dumps([asdict(login), prefix])
            print(given, file=process.stdin, flush=True)
            return process, process.stdout.readline().strip()  # type: ignore[union-attr]  # a PIPE

        yield start
