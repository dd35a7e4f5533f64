"""Alembic on the app's settings: up, down, offline, in step with the models."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.exc import DBAPIError

import db
import settings
from harness.database import Coordinates, throwaway_database
from harness.login import Login

PROJECT = Path(__file__).parent
TUTORIAL = "2abbbb3287d2"

Alembic = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def empty_db(mysql_login: Login) -> Iterator[Coordinates]:
    """Make a database without tables."""
    with throwaway_database(mysql_login, settings.DATABASE_NAME) as coordinates:
        yield coordinates


@pytest.fixture
def connection(empty_db: Coordinates) -> Iterator[Connection]:
    """Connect to that database."""
    engine = create_engine(db.url(empty_db, "mysql+pymysql"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.fixture
def alembic(empty_db: Coordinates, server_environ: dict[str, str]) -> Alembic:
    """Return the command line of Alembic on that database."""

    def run(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [Path(sys.executable).with_name("alembic"), *arguments],
            cwd=PROJECT,
            env={**server_environ, **empty_db.environ()},
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    return run


def test_models_and_migrations_are_in_step(alembic: Alembic) -> None:
    alembic("upgrade", "head")
    assert "No new upgrade operations detected" in alembic("check").stdout


def test_down_and_up_again_keeps_the_count(alembic: Alembic, connection: Connection) -> None:
    alembic("upgrade", "head")
    connection.execute(text("UPDATE counter SET count = 41"))
    alembic("downgrade", TUTORIAL)
    assert connection.execute(text("SELECT id, count FROM counter")).all() == [(1, 41)]
    connection.execute(text("INSERT INTO counter (count) VALUES (NULL)"))  # as it could there
    alembic("upgrade", "head")
    assert connection.execute(text("SELECT id, count FROM counter")).all() == [(1, 41)]
    alembic("downgrade", "base")
    assert inspect(connection).get_table_names() == ["alembic_version"]


@pytest.mark.parametrize(
    ("rows", "count"),
    [
        ("", 0),
        ("(1, NULL)", 0),
        ("(1, 7)", 7),
        ("(1, 61), (2, 3), (5, 60), (9, NULL)", 61),
        ("(3, 2147483647)", 2147483647),
    ],
    ids=["no row", "a null", "one row", "rows of a race", "the highest number"],
)
def test_a_database_made_by_the_tutorial_keeps_its_count(
    alembic: Alembic, connection: Connection, rows: str, count: int
) -> None:
    # As the tutorial's Alembic leaves it.
    connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)"))
    connection.execute(text(f"INSERT INTO alembic_version VALUES ('{TUTORIAL}')"))
    connection.execute(
        text(
            "CREATE TABLE counter (id INTEGER NOT NULL AUTO_INCREMENT, count INTEGER, "
            "PRIMARY KEY (id)) CHARACTER SET latin1"
        )
    )
    if rows:
        connection.execute(text(f"INSERT INTO counter VALUES {rows}"))
    alembic("upgrade", "head")
    assert connection.execute(text("SELECT id, count FROM counter")).all() == [(1, count)]


def test_an_upgrade_that_was_cut_short_is_taken_up_again(
    alembic: Alembic, connection: Connection
) -> None:
    alembic("upgrade", TUTORIAL)
    connection.execute(text("INSERT INTO counter VALUES (4, 12)"))
    alembic("upgrade", "head")
    # All was done but the note of it, and a table of an earlier try is left.
    connection.execute(text(f"UPDATE alembic_version SET version_num = '{TUTORIAL}'"))
    connection.execute(text("CREATE TABLE counter_new (id INT)"))
    alembic("upgrade", "head")
    assert connection.execute(text("SELECT id, count FROM counter")).all() == [(1, 12)]


@pytest.mark.parametrize(
    ("way", "start", "cut"),
    [
        ("upgrade", "DELETE FROM alembic_version", "head"),
        ("downgrade", "DROP TABLE counter", "base"),
    ],
)
def test_the_first_revision_that_was_cut_short_is_taken_up_again(
    alembic: Alembic, connection: Connection, way: str, start: str, cut: str
) -> None:
    alembic("upgrade", TUTORIAL)
    connection.execute(text(start))  # its table was made, or dropped, and the note is missing
    alembic(way, cut)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO counter VALUES (2, 5)",
        "INSERT INTO counter VALUES (1, 5)",
        "UPDATE counter SET count = NULL",
        "UPDATE counter SET count = -1",
        "UPDATE counter SET id = 2",
    ],
)
def test_the_schema_holds_one_row_and_a_number(
    alembic: Alembic, connection: Connection, statement: str
) -> None:
    alembic("upgrade", "head")
    with pytest.raises(DBAPIError):
        connection.execute(text(statement))
    connection.execute(text(f"UPDATE counter SET count = {2**64 - 1}"))


def test_tables_say_utf8mb4_and_innodb(alembic: Alembic, connection: Connection) -> None:
    connection.execute(text("ALTER DATABASE CHARACTER SET latin1"))
    alembic("upgrade", "head")
    made = connection.execute(text("SHOW CREATE TABLE counter")).one()[1]
    assert "CHARSET=utf8mb4" in made
    assert "ENGINE=InnoDB" in made
    assert "ck_counter_single_row" in made


def test_offline_sql_makes_the_same_database(
    alembic: Alembic, connection: Connection, empty_db: Coordinates, mysql_login: Login
) -> None:
    script = alembic("upgrade", "head", "--sql").stdout
    with mysql_login.connect() as client, client.cursor() as cursor:
        client.select_db(empty_db["DATABASE_NAME"])
        statements = [line for line in script.splitlines() if not line.startswith("--")]
        for statement in filter(str.strip, "\n".join(statements).split(";")):
            cursor.execute(statement)
    assert alembic("current").stdout.endswith("(head)\n")
    assert connection.execute(text("SELECT id, count FROM counter")).all() == [(1, 0)]
    assert "No new upgrade operations detected" in alembic("check").stdout


def test_offline_sql_needs_no_database_and_shows_no_password(alembic: Alembic) -> None:
    done = alembic("upgrade", "head", "--sql")
    assert "CREATE TABLE counter" in done.stdout
    assert settings.DB_PASSWORD not in done.stdout + done.stderr


def test_two_upgrades_at_once_take_turns(alembic: Alembic) -> None:
    with ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(alembic, "upgrade", "head") for _ in range(3)]
        assert all(run.result().returncode == 0 for run in runs)
    assert alembic("current").stdout.endswith("(head)\n")


def test_autogenerate_writes_a_revision_for_a_new_table(alembic: Alembic, tmp_path: Path) -> None:
    alembic("upgrade", "head")
    ini = tmp_path / "alembic.ini"
    versions = f"version_locations = {PROJECT}/migrations/versions {tmp_path}"
    text_ini = (PROJECT / "alembic.ini").read_text().replace("%(here)s", str(PROJECT))
    ini.write_text(
        text_ini.replace("[alembic]\n", f"[alembic]\n{versions}\n").replace(
            "path_separator = os", "path_separator = space"
        )
    )
    alembic(
        *("-c", str(ini), "revision", "--autogenerate", "-m", "nothing new"),
        *("--version-path", str(tmp_path)),
    )
    (revision,) = tmp_path.glob("*_nothing_new.py")
    assert "down_revision = " in revision.read_text()
    assert "counter.models" not in revision.read_text()
