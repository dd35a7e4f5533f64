"""The migrations."""

from throwaway_mysql.migration_tests import *
