"""Make `python -m throwaway_mysql` the command `throwaway-mysql`."""

import sys

from throwaway_mysql.cli import main

sys.exit(main())
