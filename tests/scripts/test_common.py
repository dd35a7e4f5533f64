"""What all scripts share."""

import subprocess
from pathlib import Path

import pytest

from tests.support.project import PROJECT

SCRIPTS = [path.name for path in (PROJECT / "script").iterdir() if "." not in path.name]


@pytest.mark.parametrize("name", sorted({*SCRIPTS} - {"common", "__pycache__"}))
def test_a_script_finds_its_project_through_a_link(
    project_copy: Path, tmp_path: Path, name: str
) -> None:
    (project_copy / "script/common").write_text("pwd; exit 7")  # all that they do here
    link = tmp_path / "link"
    link.symlink_to(project_copy / "script" / name)
    done = subprocess.run([link], cwd="/", capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == (f"{project_copy.resolve()}\n", 7), done.stderr
