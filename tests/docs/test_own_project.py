"""A project that follows README's "Make it your own project" is green at every step."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.project import PROJECT, Environ, run
from throwaway_mysql import Database

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


# The lines of a module that import from the counter or use such imports.
USES = r"(durability|batching|purge|http_errors|api|fast_path)\.|.*\bcounter_app\b"
COUNTERS = rf"^(from counter|    {USES}).*\n"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Return a clone of the project's current state, with what script/bootstrap installs."""
    left = ".git .venv .pipenv .mysql .bench .servers .*_cache __pycache__"
    ignore = shutil.ignore_patterns(*left.split())
    folder = shutil.copytree(PROJECT, tmp_path / "a shop", ignore=ignore)
    for name in (".venv", ".pipenv"):
        if (PROJECT / name).exists():
            (folder / name).symlink_to(PROJECT / name)
    return folder


@pytest.mark.skipif("OWN_PROJECT" not in os.environ, reason="it takes minutes; set OWN_PROJECT=1")
@pytest.mark.skipif("=counter\n" not in SETTINGS, reason="this is a project of one's own")
@pytest.mark.usefixtures("mysql_root")  # the counter's account may not create the shop's database
@pytest.mark.timeout(3600)
def test_it_is_green_at_every_step(
    own: Path, server_environ: Environ, empty_database: Database
) -> None:
    environ = server_environ | empty_database.environ()
    revision = ["alembic", "revision", "--autogenerate", "-m"]
    take_over(own)
    succeed(own, environ, "alembic", "upgrade", "head")
    succeed(own, environ, *revision, "create shop tables")
    succeed(own, environ, "alembic", "upgrade", "head")
    check(own, server_environ)
    remove_the_counter(own)
    succeed(own, environ, *revision, "drop the counter")
    check(own, server_environ)


def take_over(own: Path) -> None:
    """Follow steps 1 to 5, without their commands."""
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
        ("from web import", "from shop.models import metadata as shop_metadata\nfrom web import"),
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
        without = re.sub(COUNTERS, "", (own / name).read_text(), flags=re.M)
        (own / name).write_text(without)
    edit(own / "Dockerfile", ("COPY counter counter\n", ""))
    nightly = (own / ".ci/nightly").read_text()
    (own / ".ci/nightly").write_text(re.sub(r"^.*tests\.faults.*\n", "", nightly, flags=re.M))
    (commands,) = re.findall(r"^ *```sh\n(.*?)```", README, re.M | re.S)
    subprocess.run(["sh", "-ec", commands], cwd=own, check=True)  # noqa: S607


def edit(path: Path, *changes: tuple[str, str]) -> None:
    """Replace texts in a file, which must have them."""
    text = path.read_text()
    for old, new in changes:
        assert old in text, (path, old)
        text = text.replace(old, new)
    path.write_text(text)


def check(own: Path, environ: Environ) -> None:
    """Run the checks, which must pass."""
    inherited = {name: environ[name] for name in environ if not name.startswith("PYTEST_")}
    for command in ("ruff format --check", "ruff check", "mypy .", "pytest -q -n 2"):
        succeed(own, Environ(inherited | {"DATABASE_NAME": "shop"}), *command.split())


def succeed(own: Path, environ: Environ, *command: str) -> None:
    """Run a command there, which must succeed."""
    done = run(environ, sys.executable, "-m", *command, cwd=own)
    assert done.returncode == 0, (command, done.stdout[-5000:], done.stderr)
