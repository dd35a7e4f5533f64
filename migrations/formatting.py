"""Format a new revision where ruff is: Alembic runs `python -m migrations.formatting FILE`."""

import subprocess
import sys
from importlib.util import find_spec

if find_spec("ruff"):
    subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", *sys.argv[1:]], check=True)
