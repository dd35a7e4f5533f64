"""One database after the other, in one process with the peers' packages.

    python -m benchmarks.harness.databases PROGRAM ROUNDS

Each is made, has its schema, answers a query of a new connection, and is dropped. Says a JSON
array [name, round, milliseconds] for each, a line each; the first round is not told.
"""

import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.pool import NullPool

from benchmarks.harness import schemas
from throwaway_mysql import AlembicSchema, Login
from throwaway_mysql.databases.database import throwaway_database
from throwaway_mysql.databases.ownership import Run
from throwaway_mysql.schemas.clone import fill
from throwaway_mysql.servers.run import RunServer

REVISIONS = 50
TABLES = 5, 20, 50
TYPICAL = 20
NAMES = {
    "harness 1": "throwaway-mysql, 1 revision, 1 table",
    **{f"harness {n}": f"throwaway-mysql, 50 revisions, {n} tables" for n in TABLES},
    "alembic": "every revision each time, 50 revisions, 20 tables",
    "utils": "SQLAlchemy-Utils and `create_all`, the same 20 tables",
}


def main(program: str, rounds: str) -> None:
    """Measure."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        closing(RunServer(program, tcp=False)) as server,
    ):
        tasks = _tasks(server.root, Path(folder))
        for number in range(int(rounds) + 1):
            for name in random.sample(sorted(tasks), len(tasks)):
                began = time.perf_counter()
                tasks[name]()
                took = 1000 * (time.perf_counter() - began)
                if number:
                    print(json.dumps([name, number, took]), flush=True)


def _tasks(login: Login, folder: Path) -> dict[str, Callable[[], None]]:
    run = Run.begin("bench_test_")
    inis = {n: schemas.write(folder / f"{n}", REVISIONS, n) for n in TABLES}
    one = AlembicSchema(schemas.write(folder / "one", 1, 1))
    tasks = {
        f"harness {n}": partial(_harness, login, run, AlembicSchema(inis[n]), folder) for n in inis
    }
    metadata = _metadata(login, run, inis[TYPICAL])
    return {
        "harness 1": partial(_harness, login, run, one, folder),
        **tasks,
        "alembic": partial(_alembic, login, inis[TYPICAL]),
        "utils": partial(_utils, login, metadata),
    }


def _harness(login: Login, run: Run, schema: AlembicSchema, cache: Path) -> None:
    with throwaway_database(login, "", run) as coordinates:
        name = coordinates["DATABASE_NAME"]
        fill(login, name, schema, cache)
        _ask(login, name)


def _alembic(login: Login, ini: Path) -> None:
    engine = _engine(login)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE DATABASE bench_alembic"))
    _upgrade(login, "bench_alembic", ini)
    _ask(login, "bench_alembic")
    with engine.begin() as connection:
        connection.execute(sa.text("DROP DATABASE bench_alembic"))


def _utils(login: Login, metadata: sa.MetaData) -> None:
    from sqlalchemy_utils import create_database, drop_database

    url = _url(login, "bench_utils")
    create_database(url)
    engine = sa.create_engine(url, poolclass=NullPool)
    metadata.create_all(engine)
    _ask(login, "bench_utils")
    drop_database(url)


def _metadata(login: Login, run: Run, ini: Path) -> sa.MetaData:
    """Return the tables as the project's models would have them."""
    metadata = sa.MetaData()
    with throwaway_database(login, "", run) as coordinates:
        _upgrade(login, coordinates["DATABASE_NAME"], ini)
        metadata.reflect(_engine(login, coordinates["DATABASE_NAME"]))
    return metadata


def _upgrade(login: Login, database: str, ini: Path) -> None:
    config = Config(ini)
    with _engine(login, database).connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _ask(login: Login, database: str) -> None:
    with login.connect() as connection, connection.cursor() as cursor:
        connection.select_db(database)
        cursor.execute("SELECT COUNT(*) FROM item0")


def _engine(login: Login, database: str = "") -> sa.Engine:
    return sa.create_engine(_url(login, database), poolclass=NullPool)


def _url(login: Login, database: str) -> sa.URL:
    return sa.make_url(login.url()).set(database=database)


if __name__ == "__main__":
    main(*sys.argv[1:])
