"""This project's folder, its programs and their environment."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import astuple
from pathlib import Path
from typing import Any

from throwaway_mysql import Login

PROJECT = Path(__file__).parents[2]
ALEMBIC = PROJECT / "pyproject.toml"
PROGRAMS = Path(sys.executable).parent
UVICORN = [str(PROGRAMS / "uvicorn"), "--http", "web.http1:Protocol"]  # as in production
AWKWARD_FOLDER = "a project%2Fx % %s #$;'\"`\\é☃=,&!*[x]"  # CI names workspaces after branches
# Timeouts in seconds, so that no request fails because the machine is slow.
PATIENT = {"DB_TIMEOUT": 60, "HIT_TIMEOUT": 60}
TLS = ("DB_TLS", "DB_TLS_CA", "DB_TLS_CERT", "DB_TLS_KEY")


class Environ(dict[str, str]):
    """An environment whose passwords do not appear in a failed test's report."""

    def __repr__(self) -> str:
        return f"<{len(self)} variables>"

    def __or__(self, other: Any, /) -> "Environ":  # type: ignore[override]  # its names are str
        return Environ({**self, **other})


def account_settings(login: Login) -> dict[str, str]:
    """Return the app's settings for an account, as environment variables."""
    return {
        "DB_HOST": login.host,
        "DB_PORT": str(login.port),
        "DB_USERNAME": login.user,
        "DB_PASSWORD": login.password,
        "MYSQL_ROOT_PASSWORD": login.password if login.user == "root" else "",
        **dict(zip(TLS, astuple(login.encryption), strict=True)),
    }


def run(
    environ: Mapping[str, str], program: str | Path, *arguments: str, cwd: Path = PROJECT
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end: one of this environment, or one given by an absolute path."""
    return subprocess.run(
        [PROGRAMS / program, *arguments],
        cwd=cwd,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
