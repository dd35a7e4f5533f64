"""TLS to the database: whom the app trusts, whom it refuses, and its messages."""

import asyncio
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import uvloop
from sqlalchemy.exc import DBAPIError

import db
import db_tls
import settings
from application import create_app
from tests.support.databases import migrated_database
from tests.support.project import PATIENT, run
from tests.support.tls import Certified, certify, hiding_tls
from throwaway_mysql import Server, Tls
from throwaway_mysql.grants import set_up
from web import lifecycle

CIPHER = "SHOW STATUS LIKE 'ssl_cipher'"  # empty without TLS
USER, PASSWORD = "tls", "s3cret ☃"
THERE = "localhost"  # the server's certificate is for this, not for 127.0.0.1


@dataclass
class TlsServer:
    """A server with TLS and a migrated database; `settings` point to it and trust it."""

    mysql: Server
    folder: Path
    ca: Certified
    settings: dict[str, Any]
    runners: list[asyncio.Runner]

    def ask(self, statement: str) -> None:
        """Run a statement as root."""
        root = replace(self.mysql.root, tls=Tls("preferred"))
        with root.connect() as connection, connection.cursor() as cursor:
            cursor.execute(statement)

    @contextmanager
    def tls_alone(self) -> Iterator[None]:
        """Refuse connections without TLS."""
        self.ask("SET GLOBAL require_secure_transport = ON")
        try:
            yield
        finally:
            self.ask("SET GLOBAL require_secure_transport = OFF")

    def environ(self) -> dict[str, str]:
        """Return the environment of a program with these settings."""
        known = {name: str(value) for name, value in self.settings.items()}
        return {**os.environ, **known, "MYSQL_ROOT_PASSWORD": self.mysql.root.password}


@pytest.fixture(scope="module")
def server(mysql_program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    """Start a server with TLS, and an account there."""
    folder = tmp_path_factory.mktemp("tls")
    ca = certify(folder, "ca")
    shown = certify(folder, "server", ca, host=THERE)
    files = {"ca": ca.cert, "cert": shown.cert, "key": shown.key}
    flags = ["--loose-ssl", *(f"--ssl-{name}={file}" for name, file in files.items())]
    with ExitStack() as ending:
        # With TLS, an event loop ends only after the server's goodbye.
        loops = (asyncio.new_event_loop, uvloop.new_event_loop)
        runners = [ending.enter_context(asyncio.Runner(loop_factory=loop)) for loop in loops]
        mysql = ending.enter_context(closing(Server(mysql_program, flags=flags)))
        made = ending.enter_context(migrated_database(mysql.root))
        with mysql.root.connect() as connection:
            set_up(connection, made["DATABASE_NAME"], USER, PASSWORD)
        config = {name: value for name, value in vars(settings).items() if name.isupper()}
        config |= {**made, "DB_HOST": THERE, "DB_WAIT": 60, "MYSQL_ROOT_PASSWORD": ""}
        config |= {"DB_USERNAME": USER, "DB_PASSWORD": PASSWORD}
        config |= {**PATIENT, "DB_TLS": "verified", "DB_TLS_CA": ca.cert}
        yield TlsServer(mysql, folder, ca, config, runners)


async def app_cipher(config: dict[str, Any]) -> str:
    """Connect as the app does; return the connection's cipher, or nothing."""
    await lifecycle.wait(config)
    connection = await db.connect(config)
    async with connection.cursor() as cursor:
        await cursor.execute(CIPHER)
        _, cipher = await cursor.fetchone()
    await connection.ensure_closed()
    return str(cipher)


def is_encrypted(server: TlsServer, **changes: Any) -> bool:
    """Connect as the app and as Alembic; tell whether all connections are encrypted, or none."""
    config = {**server.settings, **changes}
    ciphers = [runner.run(app_cipher(config)) for runner in server.runners]
    with db.sync_engine(config).connect() as connection:
        ciphers.append(connection.exec_driver_sql(CIPHER).one()[1])
    (encrypted,) = set(map(bool, ciphers))
    return encrypted


def check_refused(server: TlsServer, line: str, **changes: Any) -> None:
    """Check that every kind of connection is refused with this line, at start-up at once."""
    config = {**server.settings, **changes}
    for runner in server.runners:
        with pytest.raises(SystemExit) as end:
            runner.run(app_cipher(config))
        assert re.search(r" in [1-4]?\d s \(DB_WAIT\): ", str(end.value))  # before DB_WAIT, 60
        assert line in str(end.value)
        assert "\n" not in str(end.value)
    with pytest.raises(DBAPIError):
        db.sync_engine(config).connect()


@pytest.mark.parametrize(
    ("changes", "encrypted"),
    [
        ({}, True),
        ({"DB_TLS": "preferred", "DB_TLS_CA": "", "DB_HOST": "127.0.0.1"}, True),
        ({"DB_TLS": "off"}, False),
    ],
)
def test_each_way_to_connect_is_encrypted_as_db_tls_says(
    server: TlsServer, changes: dict[str, str], *, encrypted: bool
) -> None:
    assert is_encrypted(server, **changes) is encrypted


def test_a_server_that_is_not_the_right_one_is_refused_at_once(server: TlsServer) -> None:
    check_refused(server, "not valid for '127.0.0.1'", DB_HOST="127.0.0.1")
    unknown = certify(server.folder, "unknown")
    for ca in (unknown.cert, ""):  # without one, the system's authorities
        check_refused(server, "certificate verify failed", DB_TLS_CA=ca)
    check_refused(server, "DB_TLS_CA names the authorities", DB_TLS_CA="")


def test_a_server_may_want_tls_and_a_certificate(server: TlsServer) -> None:
    client = certify(server.folder, "client", server.ca)
    stranger = certify(server.folder, "stranger", certify(server.folder, "another"))
    with server.tls_alone():
        check_refused(server, "DB_TLS", DB_TLS="off")
        assert is_encrypted(server, DB_TLS="preferred", DB_TLS_CA="")
        server.ask(f"ALTER USER '{USER}'@'%' REQUIRE X509")
        try:
            check_refused(server, "DB_TLS_CERT")
            check_refused(server, "", DB_TLS_CERT=stranger.cert, DB_TLS_KEY=stranger.key)
            assert is_encrypted(server, DB_TLS_CERT=client.cert, DB_TLS_KEY=client.key)
        finally:
            server.ask(f"ALTER USER '{USER}'@'%' REQUIRE NONE")


async def test_without_tls_only_preferred_goes_on_and_in_plain(server: TlsServer) -> None:
    async with hiding_tls(server.mysql.root.port) as port:
        reason = "the server offers no TLS"
        await asyncio.to_thread(check_refused, server, reason, DB_PORT=port)
        changes = {"DB_PORT": port, "DB_TLS": "preferred", "DB_TLS_CA": ""}
        assert not await asyncio.to_thread(lambda: is_encrypted(server, **changes))


async def test_the_app_answers_over_tls(server: TlsServer) -> None:
    app = create_app(**server.settings)
    with server.tls_alone():
        async with app.test_app():
            assert (await app.test_client().get("/health/ready")).status_code == 200


@pytest.mark.parametrize(
    "command",
    [
        "quart mysql setup",
        pytest.param("pytest -s web/test_health.py::test_live_and_ready", marks=pytest.mark.slow),
    ],
)
def test_a_command_of_the_harness_works_with_tls(server: TlsServer, command: str) -> None:
    with server.tls_alone():
        done = run(server.environ(), *command.split())
    assert done.returncode == 0, done.stdout + done.stderr
    assert THERE in done.stdout  # else pytest would have started its own server


@pytest.mark.parametrize(
    ("files", "line"),
    [
        ({"DB_TLS_CA": "gone.pem"}, "DB_TLS_CA is '{}/gone.pem': it cannot be read (No such"),
        ({"DB_TLS_CERT": "."}, "DB_TLS_CERT is '{}/.': it cannot be read (Is a directory)"),
        ({"DB_TLS_CA": "a.key"}, "DB_TLS_CA is '{}/a.key': it must hold certificates, in PEM"),
        ({"DB_TLS_KEY": "a.key"}, "DB_TLS_KEY is '{}/a.key': it needs a certificate, DB_TLS_CERT"),
        ({"DB_TLS_CERT": "a.pem", "DB_TLS_KEY": "b.key"}, "they must belong together"),
        ({"DB_TLS_CERT": "a.pem", "DB_TLS_KEY": "a.pem"}, "must hold a key without a passphrase"),
        ({"DB_TLS_CERT": "a.pem"}, "must hold a key without a passphrase"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line_that_names_the_variable(
    tmp_path: Path, files: dict[str, str], line: str
) -> None:
    certify(tmp_path, "a")
    certify(tmp_path, "b")
    paths = {name: f"{tmp_path}/{file}" for name, file in files.items()}
    with pytest.raises(SystemExit) as end:
        db_tls.context({"DB_TLS": "verified", **dict.fromkeys(db_tls.FILES, ""), **paths})
    assert line.format(tmp_path) in str(end.value)
    assert "\n" not in str(end.value)
