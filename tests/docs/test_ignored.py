"""Files that hold secrets are neither committed nor copied into an image, by their names."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.project import PROJECT

README = (PROJECT / "README.md").read_text()
SECRETS = [
    *set(re.findall(r"(?<![\w.-])[\w-]*\.env(?:\.\w+)*\b", README)),  # each that README names
    *(".env.local", "deploy/staging.env", "production.env.bak", "docs/.env"),
    *("server.key", "tls/client-key.pem", "tls/client.pem", "tls/store.p12", "store.pfx"),
]
OPEN = [".quartenv", "migrations/env.py", "settings.py", "counter/api/schemas.py", "web/keys.py"]
Ignored = Callable[[str], bool]


@pytest.fixture
def by_git(tmp_path: Path) -> Ignored:
    """Tell what git ignores in a new repository with this .gitignore."""
    if not shutil.which("git"):
        pytest.skip("there is no git here, as in a container")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)  # noqa: S607
    shutil.copy(PROJECT / ".gitignore", tmp_path)
    check = ["git", "-c", "core.excludesFile=", "-C", str(tmp_path), "check-ignore", "-q"]
    return lambda name: subprocess.run([*check, name], check=False).returncode == 0


@pytest.fixture
def by_docker() -> Ignored:
    """Tell what .dockerignore keeps from an image; a pattern begins at the project's folder."""
    lines = (PROJECT / ".dockerignore").read_text().splitlines()
    patterns = [
        re.escape(line).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*") + "(?:/.*)?"
        for line in lines
        if not line.startswith("#")
    ]
    return lambda name: any(re.fullmatch(pattern, name) for pattern in patterns)


@pytest.mark.parametrize("ignored_by", ["by_git", "by_docker"])
def test_secrets_stay_on_this_machine(request: pytest.FixtureRequest, ignored_by: str) -> None:
    ignored: Ignored = request.getfixturevalue(ignored_by)
    assert "production.env" in SECRETS
    assert [name for name in SECRETS if not ignored(name)] == []
    assert [name for name in OPEN if ignored(name)] == []
