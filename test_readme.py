"""What the README promises is there, and its commands run."""

import http.client
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import settings
from harness.masked import Masked
from harness.process import free_port, serving
from testing import PROJECT, view

README = (PROJECT / "README.md").read_text()
PIPENV = PROJECT / ".pipenv/bin/pipenv"


def blocks(language: str) -> list[str]:
    """Return the README's code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.M | re.S)


@pytest.fixture
def environ(mysql_program: str) -> Masked:
    """Return an environment with a port of its own for the private server and pipenv found."""
    own = {
        "PATH": f"{PIPENV.parent}:{os.environ['PATH']}",
        "PIPENV_VENV_IN_PROJECT": "1",
        "PIPENV_IGNORE_VIRTUALENVS": "1",
        "DB_HOST": "127.0.0.1",
        "DB_PORT": str(free_port()),
        "PORT": str(free_port()),
        "MYSQLD": mysql_program,
    }
    # Reading `.quartenv` has put these into ours, where they would win.
    inherited = {name: os.environ[name] for name in os.environ if not name.startswith("QUART_")}
    return Masked(inherited | own)


def test_the_settings_table_has_every_setting_and_its_default() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| .+ \| (.+) \|$", README, re.M)
    names = {name for name in vars(settings) if name.isupper()}
    assert {name for name, _ in rows} == names
    source = (PROJECT / "settings.py").read_text()
    for name, default in rows:
        if default.startswith("`"):
            number = re.search(rf'{name} = _integer\("{name}", (\d+)', source)
            assert default.strip("`") == (number[1] if number else "production")


def test_the_map_names_what_is_there() -> None:
    _, table = README.split("## Where things are")
    for row in re.findall(r"^\| (`[^|]+`) \|", table, re.M):
        for place in row.replace("`", "").split(", "):
            assert (PROJECT / place).exists(), place


def test_script_server_serves_and_ctrl_c_leaves_the_private_server(
    checkout: Path, environ: Masked, tmp_path: Path
) -> None:
    assert "script/server" in blocks("sh")[0]
    port = int(environ["PORT"])
    quart = Path(sys.executable).with_name("quart")
    try:
        for count in (1, 2):  # the second start finds the server and its data
            with serving(
                [checkout / "script/server"], port, environ, checkout, tmp_path / "log"
            ) as app:
                client = http.client.HTTPConnection("127.0.0.1", port)
                assert view(client) == count
                client.close()
                app.process.send_signal(signal.SIGINT)
                app.process.wait(15)
                said = app.log.read_text()
            assert "Traceback" not in said, said
            status = subprocess.run(
                [quart, "mysql", "status"],
                cwd=checkout,
                env=environ,
                check=False,
                capture_output=True,
            )
            assert status.returncode == 0
    finally:
        subprocess.run([quart, "mysql", "stop"], cwd=checkout, env=environ, check=True)


def test_the_commands_by_hand_run(checkout: Path, environ: Masked) -> None:
    by_hand = next(block for block in blocks("sh") if "pipenv install" in block).splitlines()
    assert by_hand.pop() == "pipenv run quart run"
    table = re.findall(r"^\| `(pipenv run .+?)` \|", README, re.M)
    endless = {"pipenv run uvicorn manage:app", "pipenv run pytest -s"}
    assert endless < set(table)
    own_mysql = next(block for block in blocks("sh") if "mysql setup" in block).splitlines()
    try:
        # This one would install what the link leads to, which is there.
        assert by_hand.pop(0) == "pipenv install --dev"
        # Each once, in the README's order.
        for command in dict.fromkeys([*by_hand, *own_mysql, *table]):
            if command in endless:
                continue
            done = subprocess.run(
                ["sh", "-c", command],  # noqa: S607
                cwd=checkout,
                env=environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, (command, done.stdout, done.stderr)
    finally:
        subprocess.run(
            [Path(sys.executable).with_name("quart"), "mysql", "stop"],
            cwd=checkout,
            env=environ,
            check=True,
        )
