"""A project's env.py, which is let at the tests' database, and at no other."""

import io
import logging
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import make_url

from throwaway_mysql import AlembicSchema, ServerError
from throwaway_mysql.login import Login
from throwaway_mysql.schemas.alembic_project import USE_IT
from throwaway_mysql.testing.looking import rows

WriteProject = Callable[..., Path]
NewDatabase = Callable[[], str]
SHOP = ("op.create_table('shop', sa.Column('id', sa.Integer))", "op.drop_table('shop')")

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


def lead_elsewhere(path: Path, before: str = "") -> None:
    """Have a project's env.py execute `before`, and then another file that has all it did."""
    env = path.parent / "moves/env.py"
    env.rename(other := env.with_name("shared_env.txt"))
    env.write_text(f"from pathlib import Path\n{before}exec(Path({str(other)!r}).read_text())\n")


def test_an_env_may_have_another_module_use_the_connection(
    mysql_server: Login, write_project: WriteProject, new_database: NewDatabase
) -> None:
    path = write_project(SHOP)
    lead_elsewhere(path)
    AlembicSchema(path).make(mysql_server, database := new_database())
    assert "shop" in rows(mysql_server, database)


def test_what_tests_do_in_another_thread_meanwhile_is_not_refused(
    mysql_server: Login, write_project: WriteProject, new_database: NewDatabase
) -> None:
    path, url = write_project(SHOP), str(mysql_server.url())
    lead_elsewhere(
        path,
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from sqlalchemy import create_engine\n"
        "with ThreadPoolExecutor() as tests:\n"
        f"    tests.submit(create_engine({url!r}).connect).result().close()\n",
    )
    AlembicSchema(path).make(mysql_server, database := new_database())
    assert "shop" in rows(mysql_server, database)


def test_a_revision_may_connect_as_it_likes(
    mysql_server: Login, write_project: WriteProject, new_database: NewDatabase
) -> None:
    path, url = write_project(SHOP), str(mysql_server.url())
    lead_elsewhere(path)
    revision = path.parent / "moves/versions/r0.py"
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
