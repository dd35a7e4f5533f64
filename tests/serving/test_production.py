"""The production image's files are enough to serve the app, by the Dockerfile and the README."""

import http.client
import json
import re
import shutil
import subprocess
import sys
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.support.project import PROGRAMS, PROJECT
from tests.support.serving import free_port, serving
from throwaway_mysql import Database

README = (PROJECT / "README.md").read_text()
IMAGE = (PROJECT / "Dockerfile").read_text().partition("AS production\n")[2]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Copy the files of the image, without those that it deletes."""
    folder = tmp_path / "app"
    folder.mkdir()
    for sources, target in re.findall(r"^COPY ((?!--).+) (\S+)$", IMAGE, re.M):
        for source in map(PROJECT.joinpath, sources.split()):
            if source.is_dir():
                left = shutil.ignore_patterns(
                    "test_*.py", "conftest.py", "testing.py", "__pycache__"
                )
                shutil.copytree(source, folder / target, ignore=left)
            else:
                shutil.copy(source, folder / target)
    # Hide the development-only package.
    (folder / "throwaway_mysql.py").write_text("raise ImportError")
    return folder


@pytest.fixture
def environ(empty_database: Database) -> dict[str, str]:
    """Return the settings that the README requires in production, for the tests' server."""
    (paragraph,) = re.findall(r"^In production, give the container (.+?);", README, re.M | re.S)
    known = {**empty_database.environ(), "SECRET_KEY": "secret"}
    passed = {name: known[name] for name in re.findall(r"`([A-Z_]+)`", paragraph)}
    assert passed
    own = {"PATH": f"{PROGRAMS}:/usr/bin:/bin", "PORT": str(free_port()), "USER": "app"}
    return {**own, **passed, "DB_PORT": known["DB_PORT"], "DB_TLS": known["DB_TLS"]}


def test_the_image_migrates_serves_and_knows_that_it_is_healthy(
    image: Path, environ: dict[str, str], tmp_path: Path
) -> None:
    migration = ["alembic", "upgrade", "head"]
    assert " ".join(migration) in " ".join(README.split())
    done = subprocess.run(migration, cwd=image, env=environ, check=False, capture_output=True)
    assert done.returncode == 0, done.stderr
    (command,) = re.findall(r"^CMD (\[.+\])$", IMAGE, re.M)
    port = int(environ["PORT"])
    with serving(json.loads(command), port, environ, image, tmp_path / "log") as app:
        client = http.client.HTTPConnection("127.0.0.1", port)
        assert ask(client, "/health/ready") == (HTTPStatus.OK, b'{"status":"ready"}\n')
        status, page = ask(client, "/app-settings")  # only in development
        assert status == HTTPStatus.NOT_FOUND
        assert b"<h1>Not Found</h1>" in page
        # Without web.http1, the body of an upgrade would not arrive: 400.
        upgrade = {"Connection": "Upgrade", "Upgrade": "h2c"}
        client.request("POST", "/health/live", b"a body", upgrade)
        assert client.getresponse().status == HTTPStatus.METHOD_NOT_ALLOWED
        client.close()
        assert is_healthy(environ)
    assert not is_healthy(environ)
    assert "Traceback" not in app.log.read_text()


def ask(client: http.client.HTTPConnection, path: str) -> tuple[int, bytes]:
    """Send a request as a browser does."""
    client.request("GET", path, headers={"Accept": "text/html"})
    response = client.getresponse()
    return response.status, response.read()


def is_healthy(environ: dict[str, str]) -> bool:
    """Run the image's health check."""
    (check,) = re.findall(r"^HEALTHCHECK .+? CMD (\[.+?\])$", IMAGE, re.M | re.S)
    _, *arguments = json.loads(check.replace("\\\n", ""))
    done = subprocess.run(
        [sys.executable, *arguments], env=environ, check=False, capture_output=True
    )
    return done.returncode == 0
