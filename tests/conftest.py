"""Fixtures for these tests: copies of the project."""

import shutil
import sys
from pathlib import Path

import pytest

from tests.support.project import AWKWARD_FOLDER, PROJECT


@pytest.fixture
def project_copy(tmp_path: Path) -> Path:
    """Copy the project without its tests, like the start of a user's own project."""
    ignore = shutil.ignore_patterns(".*", "test_*", "docs", "benchmarks")
    folder = shutil.copytree(PROJECT, tmp_path / AWKWARD_FOLDER, ignore=ignore)
    shutil.copy(PROJECT / ".quartenv", folder)
    return folder


@pytest.fixture
def checkout(project_copy: Path) -> Path:
    """Return a copy of the project with everything that script/bootstrap installs."""
    venv, pipenv = PROJECT / ".venv", PROJECT / ".pipenv"
    if Path(sys.prefix).resolve() != venv.resolve() or not (pipenv / "bin/pipenv").exists():
        pytest.skip("this environment was not made by script/bootstrap")
    for folder in (venv, pipenv):
        (project_copy / folder.name).symlink_to(folder)
    return project_copy
