"""A project that follows README's "Make it your own project" is green at every step."""

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.project import PROJECT, Alembic, Environ

README = (PROJECT / "README.md").read_text().partition("## Make it your own project")[2]
SETTINGS = (PROJECT / ".quartenv").read_text()
MODELS = '''"""The shop's tables."""

from sqlalchemy import Column, Integer, MetaData, String, Table

METADATA
goods_table = Table(
    "goods",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(50), nullable=False, index=True),
)
'''
VIEWS = '''"""The shop's pages."""

from quart import Blueprint
from sqlalchemy import select

from db import transaction
from shop.models import goods_table

shop_app = Blueprint("shop_app", __name__)


@shop_app.get("/shop")
async def goods() -> str:
    """Name the goods."""
    async with transaction() as connection:
        rows = await connection.execute(select(goods_table.c.name))
        return ", ".join(rows.scalars())
'''
TEST = '''"""The shop's pages."""

from quart.typing import TestClientProtocol as Client


async def test_the_shop_is_empty_at_first(create_test_client: Client) -> None:
    response = await create_test_client.get("/shop")
    assert await response.get_data(as_text=True) == ""
'''
# What the steps may break, of what takes seconds; OWN_PROJECT=whole has all run, and takes minutes.
WHOLE = os.environ.get("OWN_PROJECT") == "whole"
SOME = "(shop or test_migrations or test_production or web or db_errors or common) and not ({})"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Return a clone of the project, as it is here now, with what script/bootstrap installs."""
    left = ".git .venv .pipenv .mysql .bench .servers .*_cache __pycache__"
    ignore = shutil.ignore_patterns(*left.split())
    folder = shutil.copytree(PROJECT, tmp_path / "a shop", ignore=ignore)
    for name in (".venv", ".pipenv"):
        if (PROJECT / name).exists():
            (folder / name).symlink_to(PROJECT / name)
    return folder


@pytest.mark.slow
@pytest.mark.skipif("=counter\n" not in SETTINGS, reason="this is a project of one's own")
@pytest.mark.usefixtures("mysql_root")  # an account of the counter's may not make the shop's
@pytest.mark.timeout(3600 if WHOLE else 600)
def test_it_is_green_at_every_step(
    own: Path, alembic: Alembic, server_environ: dict[str, str]
) -> None:
    take_over(own)
    alembic("upgrade", "head", cwd=own)
    alembic("revision", "--autogenerate", "-m", "create shop tables", cwd=own)
    alembic("upgrade", "head", cwd=own)
    check(own, server_environ, but="at_once or offline or web or db_errors or common")
    remove_the_counter(own)
    alembic("revision", "--autogenerate", "-m", "drop the counter", cwd=own)
    check(own, server_environ, but="at_once or production")


def take_over(own: Path) -> None:
    """Follow the steps 1 to 5, without their commands."""
    for name in (".quartenv", "docker-compose.yml"):
        edit(own / name, ("counter", "shop"))
    models = (own / "counter/models.py").read_text()
    (metadata,) = re.findall(r"^metadata = MetaData\(.*?^\)$", models, re.M | re.S)
    (own / "shop").mkdir()
    (own / "shop/__init__.py").write_text('"""The shop."""\n')
    (own / "shop/models.py").write_text(MODELS.replace("METADATA", metadata))
    (own / "shop/views.py").write_text(VIEWS)
    (own / "shop/test_views.py").write_text(TEST)
    edit(
        own / "migrations/env.py",
        ("from web", "from shop.models import metadata as shop_metadata\nfrom web"),
        ("[counter_metadata]", "[counter_metadata, shop_metadata]"),
    )
    edit(
        own / "application.py",
        (
            "from web",
            "from shop.models import metadata as ours\nfrom shop.views import shop_app\nfrom web",
        ),
        ("health.init_app(app, metadata)", "health.init_app(app, metadata, ours)"),
        ("    return app", "    app.register_blueprint(shop_app)\n    return app"),
    )
    edit(own / "Dockerfile", ("COPY web web", "COPY shop shop\nCOPY web web"))


def remove_the_counter(own: Path) -> None:
    """Follow step 6, without its revision."""
    edit(own / "migrations/env.py", ("[counter_metadata, shop_metadata]", "[shop_metadata]"))
    edit(own / "application.py", ("(app, metadata, ours)", "(app, ours)"))
    for name in ("migrations/env.py", "application.py"):
        (own / name).write_text(without_counter((own / name).read_text()))
    edit(own / "Dockerfile", ("COPY counter counter\n", ""))
    nightly = (own / ".ci/nightly").read_text()
    (own / ".ci/nightly").write_text(re.sub(r"^.*tests\.faults.*\n", "", nightly, flags=re.M))
    (commands,) = re.findall(r"^ *```sh\n(.*?)```", README, re.M | re.S)
    subprocess.run(["sh", "-ec", commands], cwd=own, check=True)  # noqa: S607


def edit(path: Path, *changes: tuple[str, str]) -> None:
    """Replace texts of a file, which it must have."""
    text = path.read_text()
    for old, new in changes:
        assert old in text, (path, old)
        text = text.replace(old, new)
    path.write_text(text)


def without_counter(source: str) -> str:
    """Return a module without what it imports of the counter, and the statements that use it."""
    tree = ast.parse(source)
    imports = [
        node
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "counter"
    ]
    names = {alias.asname or alias.name for node in imports for alias in node.names}
    uses = [node for node in ast.walk(tree) if isinstance(node, ast.Expr) and names & used(node)]
    gone = {n for node in [*imports, *uses] for n in range(node.lineno, (node.end_lineno or 0) + 1)}
    lines = enumerate(source.splitlines(keepends=True), 1)
    return "".join(line for number, line in lines if number not in gone)


def used(node: ast.AST) -> set[str]:
    """Return the names in a statement."""
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def check(own: Path, environ: dict[str, str], but: str) -> None:
    """Run what has to be green; all tests are collected, and some run."""
    pytest = "pytest -q -n 2" if WHOLE else f"pytest -q -x -k '{SOME.format(but)}'"
    checks = ["ruff format --check", "ruff check", *(["mypy ."] if WHOLE else []), pytest]
    inherited = {name: environ[name] for name in environ if not name.startswith("PYTEST_")}
    for command in checks:
        done = subprocess.run(
            [sys.executable, "-m", *shlex.split(command)],
            cwd=own,
            env=Environ(inherited | {"DATABASE_NAME": "shop"}),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (command, done.stdout[-5000:], done.stderr)
