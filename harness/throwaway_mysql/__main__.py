"""`python -m throwaway_mysql` is the command `throwaway-mysql`."""

import sys

from throwaway_mysql.cli import main

sys.exit(main())
