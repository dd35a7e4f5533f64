"""Files with secrets are, by their names, neither committed nor copied into an image."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.project import PROJECT

README = (PROJECT / "README.md").read_text()
SECRETS = [
    *set(re.findall(r"(?<![\w.-])[\w-]*\.env(?:\.\w+)*\b", README)),  # all that the README names
    *(".env.local", "deploy/staging.env", "production.env.bak", "docs/.env"),
    *("server.key", "tls/client-key.pem", "tls/client.pem", "tls/store.p12", "store.pfx"),
]
OPEN = [".quartenv", "migrations/env.py", "settings.py", "counter/api/schemas.py", "web/keys.py"]


def test_secrets_stay_on_this_machine(tmp_path: Path) -> None:
    if not shutil.which("git"):
        pytest.skip("there is no git here, as in a container")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)  # noqa: S607
    shutil.copy(PROJECT / ".gitignore", tmp_path)
    done = subprocess.run(
        ["git", "-c", "core.excludesFile=", "-C", tmp_path, "check-ignore", *SECRETS, *OPEN],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
    )
    assert "production.env" in SECRETS
    assert done.stdout.split() == SECRETS


def test_what_git_ignores_as_a_secret_is_not_copied_into_an_image() -> None:
    secrets = (PROJECT / ".gitignore").read_text().partition("# This machine's")[0].splitlines()
    left_out = (PROJECT / ".dockerignore").read_text().splitlines()
    assert {f"**/{pattern}" for pattern in secrets[1:]} <= {*left_out}
