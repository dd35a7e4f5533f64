"""The example projects that the README names, as their readers would run them."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from throwaway_mysql.login import Login

EXAMPLES = Path(__file__).with_name("examples")
README = (EXAMPLES.parents[1] / "README.md").read_text()
NAMES = sorted(folder.name for folder in EXAMPLES.iterdir())
PARALLEL = ("-n", "2", "-p", "randomly")


def run(pytester: pytest.Pytester, name: str, *options: str) -> pytest.RunResult:
    """Run pytest on a copy of an example, in a process of its own."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(EXAMPLES / name, pytester.path, dirs_exist_ok=True, ignore=ignored)
    return pytester.run(sys.executable, "-m", "pytest", *options)


@pytest.mark.parametrize("options", [(), PARALLEL], ids=["alone", "parallel"])
@pytest.mark.parametrize("name", NAMES)
def test_an_example_passes_on_a_private_server(
    pytester: pytest.Pytester, mysql_program: str, name: str, options: tuple[str, ...]
) -> None:
    result = run(pytester, name, f"--mysqld={mysql_program}", *options)
    assert result.ret == 0
    result.stdout.re_match_lines([".*[1-9] passed"])


@pytest.mark.parametrize("name", NAMES)
def test_an_example_passes_on_a_server_of_ones_own(
    pytester: pytest.Pytester,
    narrow: Login,
    prefix: str,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    monkeypatch.setenv("THROWAWAY_MYSQL_URL", narrow.url())
    result = run(pytester, name, "-o", f"mysql_prefix={prefix}")
    assert result.ret == 0


def test_the_readme_names_every_example() -> None:
    assert sorted(set(re.findall(r"\(tests/examples/(\w+)/?\)", README))) == NAMES


def test_the_recipes_of_the_readme_are_those_of_the_examples() -> None:
    (section,) = re.findall("^## Your app\n(.*?)^## ", README, re.M | re.S)
    recipes = re.findall("^```python\n(.*?)^```", section, re.M | re.S)
    texts = [(EXAMPLES / name / "conftest.py").read_text() for name in NAMES]
    assert len(recipes) == 4
    assert [one for one in recipes if not any(one in text for text in texts)] == []
