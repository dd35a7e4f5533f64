"""The README is true, its commands run, and the links in it and in docs/ work."""

import http.client
import json
import os
import re
import runpy
import secrets
import shlex
import shutil
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

import pytest
from quart.typing import TestClientProtocol as Client

import settings
from application import create_app
from counter.testing import document, view
from tests.support.project import ALEMBIC, PROJECT, Environ, run
from tests.support.serving import free_port, serving
from throwaway_mysql import (
    AlembicProject,
    Login,
    ServerError,
    throwaway_database,
    throwaway_prefix,
)

README = (PROJECT / "README.md").read_text()
PAGES = [PROJECT / "README.md", *sorted(PROJECT.glob("docs/*.md"))]
PIPENV = PROJECT / ".pipenv/bin/pipenv"


def blocks(language: str) -> list[str]:
    """Return the README's code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.M | re.S)


@pytest.fixture
def environ(mysql_program: str) -> Environ:
    """Return an environment with a free port for the private server, and pipenv in its PATH."""
    own = {
        "PATH": f"{PIPENV.parent}:{os.environ['PATH']}",
        "PIPENV_VENV_IN_PROJECT": "1",
        "PIPENV_IGNORE_VIRTUALENVS": "1",
        "DB_HOST": "127.0.0.1",
        "DB_PORT": str(free_port()),
        "PORT": str(free_port()),
        "MYSQLD": mysql_program,
    }
    # Reading `.quartenv` has put these into our environment, where they would win.
    inherited = {name: os.environ[name] for name in os.environ if not name.startswith("QUART_")}
    return Environ(inherited | own)


def test_the_settings_table_has_every_setting_and_its_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = dict(re.findall(r"^\| `([A-Z_]+)` \| .+ \| (.+) \|$", README, re.M))
    assert set(table) == {name for name in vars(settings) if name.isupper()}
    module = str(tmp_path / "settings.py")  # there is no `.quartenv` beside it
    shutil.copy(PROJECT / "settings.py", module)
    for name in table:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SystemExit) as end:
        runpy.run_path(module)
    required = {line.split()[0] for line in str(end.value).splitlines()}
    assert required == {name for name in table if table[name] == "required"}
    for name in required:
        monkeypatch.setenv(name, "given")
    defaults = runpy.run_path(module)
    expected = {"required": "given", "empty": "", "the first found": ""}
    for name, default in table.items():
        assert str(defaults[name]) == expected.get(default, default.strip("`")), name


def test_the_api_table_has_every_operation() -> None:
    table = re.findall(r"^\| `([A-Z]+) (/api/[^`]+)` \|", README, re.M)
    operations = [
        (method.upper(), path)
        for path, methods in document()["paths"].items()
        for method in methods
    ]
    assert table == operations


async def test_the_examples_of_hits_are_answered_as_it_says(create_test_client: Client) -> None:
    (path,) = re.findall(r"^curl -X POST http://127.0.0.1:5000(/\S+)$", README, re.M)
    response = await create_test_client.post(path)
    assert response.status_code == HTTPStatus.OK
    (command,) = (block for block in blocks("sh") if "Idempotency-Key" in block)
    _, url, *rest = shlex.split(command.replace("\\\n", ""))
    assert rest[::2] == ["-H", "-H", "-d"]
    headers = dict(header.split(": ") for header in rest[1:4:2])
    (answer,) = re.findall(r"^answers `(\{.*\})`, however often", README, re.M)
    for _ in range(2):
        response = await create_test_client.post(
            url.removeprefix("http://127.0.0.1:5000"), headers=headers, data=rest[5]
        )
        assert await response.get_data(as_text=True) == answer


async def test_the_example_of_a_test_passes(tmp_path: Path, create_test_client: Client) -> None:
    (code,) = blocks("python")
    example = tmp_path / "example.py"
    example.write_text(code)
    await runpy.run_path(str(example))["test_the_first_view"](create_test_client)


async def test_the_sql_by_hand_makes_an_account_for_the_app_and_for_its_tests(
    mysql_root: Login,
) -> None:
    name = f"readme{secrets.token_hex(4)}"
    own = {"counter": name, "counter_user": name, "counter_password": "by-hand"}
    (sql,) = blocks("sql")
    sql = re.sub("counter_user|counter_password|counter", lambda found: own[found[0]], sql)
    account = replace(mysql_root, user=name, password="by-hand")  # noqa: S106 (the README's)
    try:
        with mysql_root.connect() as connection, connection.cursor() as cursor:
            for statement in sql.strip().removesuffix(";").split(";"):
                cursor.execute(statement)
        with throwaway_database(account, throwaway_prefix(name)) as coordinates:
            for database in (name, coordinates["DATABASE_NAME"]):
                AlembicProject(ALEMBIC, account, database).upgrade()
                app = create_app(**coordinates | {"DATABASE_NAME": database})
                async with app.test_app():
                    assert (await app.test_client().get("/")).status_code == HTTPStatus.OK
        with pytest.raises(ServerError, match="denied"), throwaway_database(account, "another_"):
            pass
    finally:
        with mysql_root.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {name}")
            cursor.execute(f"DROP USER IF EXISTS {name}")


def test_the_lock_names_no_index() -> None:
    lock = json.loads((PROJECT / "Pipfile.lock").read_text())
    assert lock["_meta"]["sources"] == []
    for name, package in (lock["default"] | lock["develop"]).items():
        assert "index" not in package, name
    assert "://" not in json.dumps(lock)


def test_the_map_names_what_is_there() -> None:
    _, table = README.split("## Where things are")
    for row in re.findall(r"^\| (`[^|]+`) \|", table, re.M):
        for path in row.replace("`", "").split(", "):
            assert (PROJECT / path).exists(), path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_its_links_lead_to_what_is_there(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    paths = [link.partition("#")[0] for link in links if "://" not in link]
    assert [path for path in paths if not (page.parent / path).exists()] == []


@pytest.mark.slow
def test_script_server_serves_and_ctrl_c_leaves_the_private_server(
    checkout: Path, environ: Environ, tmp_path: Path
) -> None:
    assert "script/server" in blocks("sh")[0]
    port, command = int(environ["PORT"]), [checkout / "script/server"]
    try:
        for count in (1, 2):  # the second start finds the server and its data
            with serving(command, port, environ, checkout, tmp_path / "log") as app:
                client = http.client.HTTPConnection("127.0.0.1", port)
                assert view(client) == count
                client.close()
                app.end()
                assert "Traceback" not in app.log.read_text()
            run(environ, "quart", "mysql", "status", cwd=checkout).check_returncode()
    finally:
        run(environ, "quart", "mysql", "stop", cwd=checkout).check_returncode()


@pytest.mark.slow
def test_the_commands_by_hand_run(checkout: Path, environ: Environ) -> None:
    """Those in code blocks and in the table, but not the endless ones, which other tests run."""
    first = next(block for block in blocks("sh") if "pipenv install" in block).splitlines()
    own_mysql = next(block for block in blocks("sh") if "mysql setup" in block).splitlines()
    table = re.findall(r"^\| `(pipenv run .+?)` \|", README, re.M)
    # The first would install what is there already, behind a link.
    _, *commands = dict.fromkeys([*first, *own_mysql, *table])
    endless = {
        "pipenv run quart run",
        "pipenv run uvicorn --http web.http1:Protocol --timeout-graceful-shutdown 8 manage:app",
        "pipenv run pytest -s",
    }
    assert endless < set(commands)
    try:
        for command in commands:
            if command not in endless:
                done = run(environ, "/bin/sh", "-c", command, cwd=checkout)
                assert done.returncode == 0, (command, done.stdout, done.stderr)
    finally:
        run(environ, "quart", "mysql", "stop", cwd=checkout).check_returncode()
