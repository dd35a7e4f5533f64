"""Schemas: where Alembic has its files, and how it is let at a database."""

import io
import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import make_url

from throwaway_mysql import AlembicSchema, ServerError
from throwaway_mysql.login import Login
from throwaway_mysql.schemas import ini
from throwaway_mysql.schemas.alembic_project import USE_IT, AlembicProject
from throwaway_mysql.testing.looking import rows, run

WriteProject = Callable[..., Path]
NewDatabase = Callable[[], str]
SHOP = ("op.create_table('shop', sa.Column('id', sa.Integer))", "op.drop_table('shop')")


def test_a_revision_has_its_transaction(
    mysql_server: Login, write_project: WriteProject, new_database: NewDatabase
) -> None:
    path = write_project(
        SHOP, ("op.execute('INSERT INTO shop VALUES (1)'); op.get_bind().rollback()", "pass")
    )
    database = new_database()
    AlembicSchema(path).make(mysql_server, database)
    assert rows(mysql_server, database)["shop"] == []


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ("script_location = %(here)s/moves", ["moves"]),
        ("script_location = moves", ["moves"]),
        ("script_location = %(here)s/nowhere", None),
        ("script_location = %(nothing)s/moves", None),
        ("script_location = nowhere:moves", None),
        ("script_location = throwaway_mysql:there", ["there"]),
        ("", None),
        (
            "script_location = %(here)s/moves\npath_separator = os\n"
            f"version_locations = %(here)s/one{os.pathsep}%(here)s/two",
            ["moves", "one", "two"],
        ),
        (
            "script_location = %(here)s/moves\npath_separator = newline\n"
            "version_locations =\n  %(here)s/one\n  %(here)s/two",
            ["moves", "one", "two"],
        ),
        (
            "script_location = %(here)s/moves\nversion_locations = %(here)s/one, %(here)s/two",
            ["moves", "one", "two"],
        ),
    ],
)
def test_the_folders_are_those_that_the_ini_names(
    tmp_path: Path, options: str, found: list[str] | None
) -> None:
    for name in ("moves", "one", "two"):
        (tmp_path / name).mkdir()
    path = tmp_path / "alembic.ini"
    path.write_text(f"[alembic]\nsqlalchemy.url = %(what)s\n{options}\n")
    folders = ini.folders(path)
    names = None if folders is None else [folder.name for folder in folders]
    assert names == found
    if found is None:
        assert AlembicSchema(path).key("11") is None


@pytest.mark.parametrize("name", ["alembic.ini", "pyproject.toml"])
def test_a_pyproject_may_name_the_folders(
    mysql_server: Login,
    write_project: WriteProject,
    new_database: NewDatabase,
    name: str,
) -> None:
    path = write_project(SHOP)
    path.write_text("[alembic]\n")
    toml = path.with_name("pyproject.toml")
    toml.write_text('[tool.alembic]\nscript_location = "%(here)s/moves"\n')
    assert ini.folders(path.with_name(name)) == [path.parent / "moves"]
    before = AlembicSchema(path.with_name(name)).key("11")
    AlembicSchema(path.with_name(name)).make(mysql_server, database := new_database())
    assert list(rows(mysql_server, database)) == ["alembic_version", "shop"]
    toml.write_text(toml.read_text() + "# changed\n")
    assert AlembicSchema(path.with_name(name)).key("11") != before


def test_the_seed_comes_after_the_newest_revision(
    mysql_server: Login, write_project: WriteProject, new_database: NewDatabase
) -> None:
    def seed(login: Login, database: str) -> None:
        run(login, database, "INSERT INTO shop VALUES (7)")

    database = new_database()
    AlembicSchema(str(write_project(SHOP)), seed).make(mysql_server, database)
    assert rows(mysql_server, database)["shop"] == [{"id": b"7"}]


def test_all_heads_are_made(
    mysql_server: Login, write_project: WriteProject, new_database: NewDatabase
) -> None:
    path = write_project(SHOP, ("op.create_table('a', sa.Column('id', sa.Integer))", "pass"))
    branch = path.parent / "moves/versions/branch.py"
    text = (path.parent / "moves/versions/r1.py").read_text()
    branch.write_text(text.replace('"r1"', '"branch"').replace("'a'", "'b'"))
    AlembicSchema(path).make(mysql_server, database := new_database())
    assert list(rows(mysql_server, database)) == ["a", "alembic_version", "b", "shop"]


def test_what_the_server_refuses_is_one_line_that_names_the_revision(
    mysql_server: Login, write_project: WriteProject, new_database: NewDatabase
) -> None:
    path = write_project(SHOP, SHOP)
    line = r"^revision r1 \(.*/r1\.py:\d+, in upgrade\): 1050 Table 'shop' already exists$"
    with pytest.raises(ServerError, match=line):
        AlembicSchema(path).make(mysql_server, new_database())


# As Alembic's own template has it, synchronous or not.
OWN = """
from alembic import context
from sqlalchemy import engine_from_config, pool
with engine_from_config(
    context.config.get_section("alembic"), prefix="sqlalchemy.", poolclass=pool.NullPool
).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""
OWN_ASYNC = """
import asyncio
from alembic import context
from sqlalchemy import pool
from sqlalchemy.ext.asyncio import async_engine_from_config

async def migrate():
    engine = async_engine_from_config(
        context.config.get_section("alembic"), prefix="sqlalchemy.", poolclass=pool.NullPool
    )
    async with engine.connect() as connection:
        await connection.run_sync(lambda own: context.configure(connection=own))

asyncio.run(migrate())
"""


@pytest.mark.parametrize(("env", "driver"), [(OWN, "pymysql"), (OWN_ASYNC, "aiomysql")])
def test_an_env_that_asks_for_no_connection_makes_none_of_its_own(
    mysql_server: Login,
    write_project: WriteProject,
    new_database: NewDatabase,
    env: str,
    driver: str,
) -> None:
    path = write_project(SHOP)
    (path.parent / "moves/env.py").write_text(env)
    with socket.create_server(("127.0.0.1", 0)) as persons:
        persons.settimeout(0)
        url = f"mysql+{driver}://me:secret@127.0.0.1:{persons.getsockname()[1]}/mine"
        path.write_text(f"{path.read_text()}sqlalchemy.url = {url}\n")
        with pytest.raises(ServerError, match=r"env\.py would migrate another database") as error:
            AlembicSchema(path).make(mysql_server, new_database())
        with pytest.raises(BlockingIOError):
            persons.accept()
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("url", ["driver://me:secret@localhost/mine", "secret", ""])
def test_an_env_that_asks_for_no_connection_and_has_no_url_is_one_line(
    mysql_server: Login, write_project: WriteProject, new_database: NewDatabase, url: str
) -> None:
    path = write_project(SHOP)
    (path.parent / "moves/env.py").write_text(OWN)
    path.write_text(f"{path.read_text()}sqlalchemy.url = {url}\n")
    with pytest.raises(ServerError, match=r"env\.py would migrate another database") as error:
        AlembicSchema(path).make(mysql_server, new_database())
    assert "secret" not in str(error.getrepr(style="native"))


def test_an_env_that_fails_before_it_has_the_connection_is_told_of_it(
    mysql_server: Login, write_project: WriteProject, new_database: NewDatabase
) -> None:
    path = write_project(SHOP)
    env = path.parent / "moves/env.py"
    env.write_text("raise LookupError('a bug')")
    with pytest.raises(LookupError, match="a bug") as error:
        AlembicSchema(path).make(mysql_server, new_database())
    assert error.value.__notes__ == [f"{env}: {USE_IT}"]


def test_an_env_may_have_another_module_use_the_connection(
    mysql_server: Login, write_project: WriteProject, new_database: NewDatabase
) -> None:
    path = write_project(SHOP)
    env = path.parent / "moves/env.py"
    env.rename(other := env.with_name("shared_env.txt"))
    env.write_text(f"from pathlib import Path\nexec(Path({str(other)!r}).read_text())\n")
    AlembicSchema(path).make(mysql_server, database := new_database())
    assert "shop" in rows(mysql_server, database)


def test_what_tests_do_in_another_thread_meanwhile_is_not_refused(
    mysql_server: Login, write_project: WriteProject, new_database: NewDatabase
) -> None:
    path, url = write_project(SHOP), str(mysql_server.url())
    env = path.parent / "moves/env.py"
    env.rename(other := env.with_name("shared_env.txt"))
    env.write_text(
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from pathlib import Path\n"
        "from sqlalchemy import create_engine\n"
        "with ThreadPoolExecutor() as tests:\n"
        f"    tests.submit(create_engine({url!r}).connect).result().close()\n"
        f"exec(Path({str(other)!r}).read_text())\n"
    )
    AlembicSchema(path).make(mysql_server, database := new_database())
    assert "shop" in rows(mysql_server, database)


def test_a_revision_may_connect_as_it_likes(
    mysql_server: Login, write_project: WriteProject, new_database: NewDatabase
) -> None:
    path, url = write_project(SHOP), str(mysql_server.url())
    env, revision = path.parent / "moves/env.py", path.parent / "moves/versions/r0.py"
    env.rename(other := env.with_name("shared_env.txt"))
    env.write_text(f"from pathlib import Path\nexec(Path({str(other)!r}).read_text())\n")
    connects = f"def upgrade():\n    sa.create_engine({url!r}).connect().close()\n"
    revision.write_text(revision.read_text().replace("def upgrade():\n", connects))
    AlembicSchema(path).make(mysql_server, database := new_database())
    assert "shop" in rows(mysql_server, database)


# Where an env.py goes on after it has used the connection that it was given.
CONNECT = """
from sqlalchemy import create_engine
{then}
with context.begin_transaction():
    context.run_migrations()
"""


@pytest.mark.parametrize(
    ("then", "where"),
    [
        ("context.configure(connection=create_engine({url!r}).connect())", " ({shown})"),
        ("context.configure(url={url!r})", ""),
        ("create_engine('driver://user:pass@localhost/dbname')", ""),
    ],
)
def test_another_connection_than_the_given_is_refused_before_anything_is_run(
    mysql_root: Login,
    write_project: WriteProject,
    new_database: NewDatabase,
    then: str,
    where: str,
) -> None:
    path, other = write_project(SHOP), new_database()
    url = mysql_root.url(database=other)
    env = path.parent / "moves/env.py"
    with env.open("a") as file:
        file.write(CONNECT.format(then=then.format(url=str(url))))
    with pytest.raises(ServerError) as error:
        AlembicSchema(path).make(mysql_root, new_database())
    told = where.format(shown=str(make_url(url)))
    assert str(error.value).startswith(
        f"{env} would migrate another database than the tests'{told}, so it was not let: use "
    )
    assert mysql_root.password not in str(error.value)
    assert rows(mysql_root, other) == {}


def test_another_connection_to_the_same_database_is_not(
    mysql_server: Login, write_project: WriteProject, new_database: NewDatabase
) -> None:
    path = write_project(SHOP)
    env = path.parent / "moves/env.py"
    own = "connection = connection.engine.execution_options(a=1).connect()"
    env.write_text(env.read_text().replace("context.configure(", f"{own}\ncontext.configure("))
    AlembicSchema(path).make(mysql_server, database := new_database())
    assert "shop" in rows(mysql_server, database)


def test_an_env_that_migrated_another_database_is_told_of(
    mysql_server: Login, write_project: WriteProject, new_database: NewDatabase
) -> None:
    path = write_project(SHOP)
    env, other = path.parent / "moves/env.py", new_database()
    env.write_text(
        env.read_text().replace(
            "context.configure(",
            f"connection.exec_driver_sql('USE {other}')\ncontext.configure(",
        )
    )
    with pytest.raises(ServerError, match=r"env\.py migrated nothing here: use config"):
        AlembicSchema(path).make(mysql_server, new_database())


def test_the_url_that_an_env_sees_has_no_password(
    mysql_server: Login, write_project: WriteProject, new_database: NewDatabase
) -> None:
    path = write_project(SHOP)
    env, seen = path.parent / "moves/env.py", path.with_name("seen")
    with env.open("a") as file:
        url = "connection.engine.url.render_as_string(hide_password=False)"
        file.write(f"\nwith open({str(seen)!r}, 'w') as seen:\n    seen.write({url})\n")
    AlembicSchema(path).make(mysql_server, database := new_database())
    assert seen.read_text().endswith(f"/{database}")
    assert mysql_server.password[:16] not in seen.read_text()


LOGGING = """
[loggers]
keys = root

[handlers]
keys = none

[formatters]
keys =

[logger_root]
level = CRITICAL
handlers = none

[handler_none]
class = NullHandler
args = ()
"""


def test_the_tests_logging_stays_as_it_was(
    mysql_server: Login, write_project: WriteProject, new_database: NewDatabase
) -> None:
    path = write_project(SHOP)
    with path.open("a") as file:
        file.write(LOGGING)
    env = path.parent / "moves/env.py"
    set_up = "from logging.config import fileConfig\nfrom alembic import context\n"
    env.write_text(f"{set_up}fileConfig(context.config.config_file_name)\n{env.read_text()}")
    logger, said = logging.getLogger("of.a.test"), io.StringIO()
    logger.addHandler(handler := logging.StreamHandler(said))
    before = logging.root.handlers[:], logging.root.level
    AlembicSchema(path).make(mysql_server, new_database())
    logger.warning("still heard")
    logger.removeHandler(handler)
    assert said.getvalue() == "still heard\n"
    assert (logging.root.handlers, logging.root.level) == before


def test_a_project_tells_at_which_revisions_a_database_is(
    mysql_server: Login, write_project: WriteProject, new_database: NewDatabase
) -> None:
    project = AlembicProject(write_project(SHOP), mysql_server, new_database())
    assert project.current() == ()
    project.upgrade()
    assert project.current() == ("r0",)
