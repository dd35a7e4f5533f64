"""Whole test runs, and the programs that each needs."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

# Only plugins given by -p are loaded.
PYTEST = "-m pytest -q"
OURS = f"{PYTEST} -p throwaway_mysql"
PYTEST_MYSQL = (
    f"{PYTEST} -p pytest_mysql --mysql-mysqld=bin/mysqld --mysql-mysqld-safe=bin/mysqld-safe"
    " --mysql-install-db=bin/install-db --mysql-admin=bin/admin"
    " --mysql-dbname=bench"  # mariadb-install-db makes `test` itself
)
FURTHER, TESTS = 40, 400  # databases in a run after the first; tests in one database


@dataclass(frozen=True)
class Contestant:
    """A run of the Python `command` in `project`'s folder, on a schema of projects.SCHEMAS.

    With `less`, it is a unit cost: this run minus that one, divided by `times`. `version` is the
    harness's: `now` or `before`; `configured` has it use the server that is already running.
    """

    title: str
    project: str
    command: str = PYTEST
    environ: Mapping[str, str] = field(default_factory=dict)
    schema: tuple[int, int] = (1, 1)
    version: str = "now"
    configured: bool = False
    less: "Contestant | None" = None
    times: int = 1

    @property
    def is_ours(self) -> bool:
        """Whether the run uses the harness."""
        return self.command.startswith(OURS)

    def before(self) -> "Contestant":
        """Return the same run with the other version of the harness."""
        return replace(self, version="before", less=self.less and self.less.before())


def _further(contestant: Contestant) -> Contestant:
    """Return the cost of a further database: a run with one per test, minus a run with one."""
    environ = {"TESTS": str(FURTHER + 1)}
    return replace(contestant, environ=environ, less=contestant, times=FURTHER)


RUNS = {
    "none": Contestant("pytest without a database, without this package", "none"),
    "unused": Contestant("the same, with this package installed", "none", OURS),
    "harness": Contestant("throwaway-mysql, private server", "harness", OURS),
    "configured": Contestant(
        "throwaway-mysql, a server that runs already", "harness", OURS, configured=True
    ),
    "pytest-mysql": Contestant("pytest-mysql", "pytest-mysql", PYTEST_MYSQL),
    "django": Contestant(
        "Django's test runner, a server that runs already",
        "django",
        "-m django test --noinput --settings=settings",
    ),
    "utils": Contestant("SQLAlchemy-Utils and `create_all`, a server that runs already", "utils"),
}
MODULES = Contestant("200 modules, without pytest-xdist", "modules", OURS, schema=(10, 5))
MANY_MODULES = {
    "modules": MODULES,
    **{
        f"modules {way}": replace(
            MODULES, title=f"200 modules, `{way}`", command=f"{OURS} -p xdist {way}"
        )
        for way in ("-n 1", "-n 2")
    },
}
PER_TEST = Contestant(
    "throwaway-mysql, 1 revision, 1 table", "harness", f"{OURS} -o mysql_database=test"
)
UTILS = Contestant(
    "SQLAlchemy-Utils and `create_all`, the same 20 tables", "utils", schema=(50, 20)
)
ONE_DATABASE = Contestant(
    "rows put back after a test that changed one of 5 tables",
    "harness",
    f"{OURS} -o mysql_isolation=none",
    {"TESTS": str(TESTS)},
    (10, 5),
)
COSTS = {
    "further 1-1": _further(PER_TEST),
    "further 50-20": _further(
        replace(PER_TEST, title="throwaway-mysql, 50 revisions, 20 tables", schema=(50, 20))
    ),
    "further utils": _further(UTILS),
    "restored": replace(
        ONE_DATABASE, command=f"{OURS} -o mysql_isolation=delete", less=ONE_DATABASE, times=TESTS
    ),
}
