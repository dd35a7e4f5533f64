"""Users who followed the tutorial keep its tests and database."""

import secrets
from pathlib import Path

from tests.support.project import Environ, run
from throwaway_mysql import Login

# The tutorial's test module. Changed for SQLAlchemy 2: create_all() takes the engine,
# select() no list, and a result's rows are read without await, by position.
TESTS = """\
import pytest
from quart import current_app
from sqlalchemy import create_engine, select

from counter.models import counter_table, metadata as CounterMetadata


@pytest.fixture(scope="module")
def create_counter_tables(create_db):
    print("Creating Counter Tables")
    engine = create_engine(create_db["DB_URI"] + "/" + create_db["DATABASE_NAME"])
    CounterMetadata.create_all(engine)


@pytest.mark.asyncio
async def test_initial_response(create_test_client, create_counter_tables):
    response = await create_test_client.get("/")
    body = await response.get_data()
    assert "Counter: 1" in str(body)


@pytest.mark.asyncio
async def test_second_response(
    create_test_app, create_test_client, create_counter_tables
):
    response = await create_test_client.get("/")
    body = await response.get_data()
    assert "Counter: 2" in str(body)

    # check on the model itself
    async with create_test_app.app_context():
        conn = current_app.sac
        counter_query = select(counter_table.c.count)
        result = await conn.execute(counter_query)
        result_row = result.first()
        count = result_row[0]
        assert count == 2
"""


# A test that fails.
FAILS = """

async def test_it(create_test_app):
    assert create_test_app.config["DATABASE_NAME"] == "another"
"""


def test_the_tutorials_tests_pass_and_a_failure_leaves_no_database_and_shows_no_password(
    project_copy: Path, server_environ: Environ, mysql_root: Login
) -> None:
    (project_copy / "counter/test_counter.py").write_text(TESTS + FAILS)
    name = f"tutorial_{secrets.token_hex(4)}"
    environ = server_environ | {"DATABASE_NAME": name}
    output = run(environ, "pytest", "-s", "-q", "--showlocals", cwd=project_copy).stdout
    assert "1 failed, 2 passed" in output, output
    assert f"+ {name}_test_" in output
    assert mysql_root.password[:16] not in output
    with mysql_root.connect() as connection, connection.cursor() as cursor:
        assert cursor.execute("SHOW DATABASES LIKE %s", (f"{name}%",)) == 0
    shown = output.partition("= FAILURES =")[0].splitlines()
    server, *events = [line.lstrip(".F") for line in shown if "ing " in line]
    assert server.startswith("Using the server at ")
    assert events == [
        "Creating db",
        "Migrating db",
        "Starting app",
        "Creating test client",
        "Creating Counter Tables",
        "Closing down app",
        "Destroying db",
    ]
