"""What autogenerate writes goes up and down on MySQL and MariaDB, and leaves nothing to do."""

import io
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import IntegrityError

from tests.support.project import PROJECT

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

Schema = Callable[[], dict[str, list[Any]]]  # what each table has beside its id


def to(table: str, *, index: bool = False, **options: Any) -> sa.Column[Any]:
    """Return a column that refers to a table."""
    key = sa.ForeignKey(f"{table}.id", **options)
    return sa.Column(f"{table}_id", key, index=index)


def number(name: str, *, index: bool = False) -> sa.Column[int]:
    """Return a column of numbers."""
    return sa.Column(name, sa.BigInteger, index=index)


def kinds() -> list[Any]:
    """Return columns of the kinds that a server tells of in words of its own."""
    return [
        sa.Column("uuid", sa.Uuid, nullable=False),
        sa.Column("flag", sa.Boolean, nullable=False, server_default=sa.text("0")),
        sa.Column("checked", sa.Boolean(create_constraint=True, name="flag")),
        sa.Column("letter", sa.Enum("a", "b", name="letter")),
        sa.Column(
            "word", sa.Enum("c", "d", name="word", native_enum=False, create_constraint=True)
        ),
        sa.Column("json", sa.JSON, nullable=False, server_default=sa.text("('{}')")),
        sa.Column("price", sa.Numeric(10, 2), server_default="1.50"),
        sa.Column(
            "text", sa.String(20), server_default="it's 50% :of", comment='it\'s 50% "of" :all'
        ),
        sa.Column("made", sa.DateTime, server_default=sa.func.now()),
        sa.Column("moment", mysql.DATETIME(fsp=6), server_default=sa.text("CURRENT_TIMESTAMP(6)")),
        sa.Column("lower", sa.String(20), sa.Computed("lower(text)")),
        sa.CheckConstraint("price > 0", name="price"),  # the last
    ]


CASES: dict[str, list[Schema]] = {
    "a key with an index, and another index": [
        lambda: {"customer": [], "order": [to("customer", index=True), number("b", index=True)]},
        dict,
    ],
    "a key without an index of its own": [
        lambda: {"customer": [], "order": [to("customer")]},
        lambda: {"customer": [], "order": [to("customer", index=True)]},
        lambda: {"customer": [], "order": [to("customer")]},
        lambda: {"customer": [], "order": [number("customer_id")]},
        lambda: {"customer": [], "order": [to("customer")]},
        lambda: {"customer": [], "order": []},
    ],
    "an index below a key that is replaced": [
        lambda: {"a": [], "b": [to("a", index=True), number("c")]},
        lambda: {"a": [], "b": [to("a"), number("c"), sa.Index(None, "a_id", "c")]},
        lambda: {"a": [], "b": [to("a"), number("c"), sa.UniqueConstraint("a_id", "c")]},
        lambda: {"a": [], "b": [to("a"), number("c"), sa.Index("renamed", "a_id")]},
    ],
    "a unique column that is referred to": [
        lambda: {
            "country": [sa.Column("code", sa.String(2), unique=True)],
            "town": [sa.Column("code", sa.ForeignKey("country.code"))],
        },
        lambda: {
            "country": [sa.Column("code", sa.String(3), unique=True)],
            "town": [sa.Column("code", sa.ForeignKey("country.code"), index=True)],
        },
        lambda: {
            "country": [sa.Column("code", sa.String(3))],
            "town": [sa.Column("code", sa.String(3))],
        },
        lambda: {"country": [], "town": []},
    ],
    "a table that is referred to": [
        lambda: {"a": [], "b": [to("a", index=True)]},
        lambda: {"b": []},
        lambda: {"a": [], "b": [to("a", ondelete="CASCADE")]},
        lambda: {"b": [number("a_id")]},
    ],
    "tables that refer to each other, and to themselves": [
        lambda: {
            "a": [to("b", index=True, use_alter=True), to("a", index=True)],
            "b": [to("a", index=True)],
        },
        dict,
    ],
    "one column of a key of two": [
        lambda: {
            "a": [number("x"), number("y"), sa.UniqueConstraint("x", "y")],
            "b": [number("x"), number("y"), sa.ForeignKeyConstraint(["x", "y"], ["a.x", "a.y"])],
        },
        lambda: {
            "a": [number("x"), number("y"), sa.UniqueConstraint("x", "y")],
            "b": [number("x")],
        },
    ],
    "a column with a CHECK": [
        lambda: {"a": [number("x"), number("y"), sa.CheckConstraint("x > y", name="xy")]},
        lambda: {"a": [number("x")]},
        lambda: {"a": [number("x"), sa.CheckConstraint("x > 0", name="x")]},
    ],
    "columns of all kinds": [lambda: {"kinds": []}, lambda: {"kinds": kinds()}, dict],
}


def models(schema: Schema) -> sa.MetaData:
    """Return the models of a schema; their tables say nothing of engine and collation."""
    metadata = sa.MetaData(naming_convention=NAMES)
    for name, parts in schema().items():
        sa.Table(name, metadata, sa.Column("id", sa.BigInteger, primary_key=True), *parts)
    return metadata


@pytest.fixture
def config(tmp_path: Path, connection: sa.Connection) -> Config:
    """Return Alembic's configuration of a copy without revisions, whose models a test gives."""
    shutil.copytree(PROJECT / "migrations", tmp_path / "migrations")
    shutil.rmtree(tmp_path / "migrations/versions")
    (tmp_path / "migrations/versions").mkdir()
    settings = (PROJECT / "pyproject.toml").read_text().replace("prepend_sys_path", "# ", 1)
    (tmp_path / "pyproject.toml").write_text(settings)
    environment = tmp_path / "migrations/env.py"
    script = r"\1 = config.attributes['models']"
    script = re.sub(r"^(target_metadata.*) = .*", script, environment.read_text(), flags=re.M)
    environment.write_text(script)
    config = Config(toml_file=tmp_path / "pyproject.toml", stdout=io.StringIO())
    config.attributes["connection"] = connection
    return config


@pytest.mark.parametrize("schemas", CASES.values(), ids=CASES)
def test_what_it_writes_goes_up_and_down(
    config: Config, connection: sa.Connection, schemas: list[Schema], tmp_path: Path
) -> None:
    for number, (before, schema) in enumerate(pairwise([dict, *schemas])):
        config.attributes["models"] = [models(schema)]
        command.revision(config, f"step {number}", autogenerate=True)
        command.upgrade(config, "head")
        command.check(config)
        command.downgrade(config, "-1")
        there = MigrationContext.configure(connection)
        assert compare_metadata(there, models(before)) == []
        command.upgrade(config, "head")
        command.check(config)
    command.downgrade(config, "base")
    assert sa.inspect(connection).get_table_names() == ["alembic_version"]
    assert ruff(tmp_path, "format", "--check") == ""
    assert ruff(tmp_path, "check") == ""


def ruff(folder: Path, *arguments: str) -> str:
    """Return what ruff has to say of the revisions."""
    command = [sys.executable, "-m", "ruff", *arguments, "migrations/versions"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode else ""


def test_an_empty_revision_is_formatted_too(config: Config, tmp_path: Path) -> None:
    command.revision(config, "by hand")
    assert ruff(tmp_path, "format", "--check") == ""
    assert ruff(tmp_path, "check") == ""


def test_where_there_is_no_ruff_a_revision_stays_as_it_is(tmp_path: Path) -> None:
    without_packages = [sys.executable, "-S", "-m", "migrations.formatting"]
    revision = tmp_path / "revision.py"
    revision.write_text("x  =  1")
    subprocess.run([*without_packages, revision], cwd=PROJECT, check=True)
    assert revision.read_text() == "x  =  1"


def test_a_table_has_one_meaning_whatever_the_defaults_of_server_and_database(
    config: Config, connection: sa.Connection
) -> None:
    connection.execute(sa.text("ALTER DATABASE CHARACTER SET latin1"))
    connection.execute(sa.text("SET default_storage_engine = MyISAM"))
    config.attributes["models"] = [
        models(lambda: {"dish": [sa.Column("name", sa.String(255), unique=True)]})
    ]
    command.revision(config, "cook", autogenerate=True)
    command.upgrade(config, "head")
    made = connection.execute(sa.text("SHOW CREATE TABLE dish")).one()[1]
    assert "ENGINE=InnoDB" in made
    assert "ROW_FORMAT=DYNAMIC" in made
    add = sa.text("INSERT INTO dish (name) VALUES (:name)")
    for name in ("🍕", "🍺", "👍", "👍🏽", "Crème", "crème brûlée"):
        connection.execute(add, {"name": name})
    with pytest.raises(IntegrityError, match="1062"):
        connection.execute(add, {"name": "CREME"})


def test_sql_made_offline_makes_the_same_tables(config: Config, connection: sa.Connection) -> None:
    schemas: list[Schema] = [
        lambda: {"kinds": []},
        lambda: {"kinds": kinds()},
        lambda: {"kinds": kinds()[:-1]},
    ]
    for schema in schemas:
        config.attributes["models"] = [models(schema)]
        command.revision(config, "take stock", autogenerate=True)
        command.upgrade(config, "head")
    made = connection.execute(sa.text("SHOW CREATE TABLE kinds")).one()
    assert "ck_kinds" not in made[1]  # the types' CHECKs have been made by the types alone
    command.downgrade(config, "base")
    connection.execute(sa.text("DROP TABLE alembic_version"))
    offline(config, connection, command.upgrade, "head")
    assert connection.execute(sa.text("SHOW CREATE TABLE kinds")).one() == made
    offline(config, connection, command.downgrade, "head:base")
    assert not sa.inspect(connection).has_table("kinds")


def offline(config: Config, connection: sa.Connection, do: Callable[..., None], way: str) -> None:
    """Run the SQL that a command makes offline."""
    config.output_buffer = io.StringIO()
    do(config, way, sql=True)
    script = re.sub("^--.*", "", config.output_buffer.getvalue(), flags=re.M)
    for statement in re.split(r";\n\n", script):
        if statement.strip():
            connection.exec_driver_sql(statement.replace("%", "%%"))
