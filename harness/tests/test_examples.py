"""The examples that the README names: real runs of pytest, as their readers would start them."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from throwaway_mysql.login import Login
from throwaway_mysql.testing.looking import as_given, databases
from throwaway_mysql.testing.nested import CONFIGURED

EXAMPLES = Path(__file__).with_name("examples")
README = EXAMPLES.parents[1].joinpath("README.md").read_text()
NAMES = sorted(folder.name for folder in EXAMPLES.iterdir())
PARALLEL = ("-n", "2", "-p", "randomly")
ANYIO = "[pytest]\nanyio_mode = auto\naddopts = -p no:asyncio\n"

RunExample = Callable[..., str]


@pytest.fixture
def run_example(tmp_path: Path) -> RunExample:
    """Return a function that runs a copy of an example, and returns what pytest says."""

    def run(name: str, *options: str, conftest: str = "", ini: str = "", **environ: str) -> str:
        ignored = shutil.ignore_patterns("__pycache__")
        folder = shutil.copytree(EXAMPLES / name, tmp_path / name, ignore=ignored)
        with (folder / "conftest.py").open("a") as file:
            file.write(conftest)
        if ini:
            (folder / "pytest.ini").write_text(ini)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-s", *options],
            cwd=folder,
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.mark.parametrize("options", [(), PARALLEL], ids=["alone", "parallel"])
@pytest.mark.parametrize(
    ("name", "ini"),
    [*((name, "") for name in NAMES), ("fastapi_aiomysql", ANYIO)],
    ids=[*NAMES, "anyio"],
)
def test_an_example_passes_on_a_private_server(
    run_example: RunExample, mysql_program: str, name: str, ini: str, options: tuple[str, ...]
) -> None:
    said = run_example(name, f"--mysqld={mysql_program}", *options, ini=ini)
    assert re.search(r"[1-9] passed", said)
    assert "warning" not in said


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), PARALLEL], ids=["alone", "parallel"])
@pytest.mark.parametrize("name", NAMES)
def test_an_example_passes_on_a_server_of_ones_own(
    run_example: RunExample, account: Login, prefix: str, name: str, options: tuple[str, ...]
) -> None:
    environ = {"TEST_LOGIN": json.dumps(as_given(account)), "TEST_PREFIX": prefix}
    run_example(name, *options, conftest=CONFIGURED, **environ)
    assert [found for found in databases(account) if found.startswith(prefix)] == []


def test_the_readme_names_every_example() -> None:
    assert sorted(set(re.findall(r"\(tests/examples/(\w+)/?\)", README))) == NAMES


def test_the_readme_quotes_the_example_of_a_rollback() -> None:
    (between,) = re.findall("^## Between tests\n(.*?)^## ", README, re.M | re.S)
    quoted = re.findall("^```python\n(.*?)^```", between, re.M | re.S)
    files = ("conftest.py", "test_rollback.py")
    texts = [(EXAMPLES / "flask_pymysql" / file).read_text() for file in files]
    assert [quote in text for quote, text in zip(quoted, texts, strict=True)] == [True, True]
