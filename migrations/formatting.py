"""Format a new revision, with ruff if it is installed: Alembic runs this as a module."""

import subprocess
import sys
from importlib.util import find_spec

if find_spec("ruff"):
    subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", *sys.argv[1:]], check=True)
