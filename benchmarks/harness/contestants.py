"""Whole test runs, and what each needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from benchmarks.frame import Ratio
from benchmarks.harness.projects import SCHEMAS

# Plugins that a project would not have; pytest's cache writes the same for all.
PLUGINS = "throwaway_mysql", "pytest_mysql", "xdist"
OURS, XDIST, PYTEST_MYSQL = ["throwaway_mysql"], ["throwaway_mysql", "xdist"], ["pytest_mysql"]


@dataclass(frozen=True)
class Contestant:
    """A test run of `project`: pytest with these of PLUGINS, or else what `argv` says.

    With `less`, it is what one of `times` things costs that this run does more than that one.
    """

    title: str
    project: str
    plugins: Sequence[str] = ()
    options: Sequence[str] = ()
    argv: Sequence[str] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    schema: tuple[int, int] = SCHEMAS[0]  # revisions, tables
    version: str = "now"  # of the harness: or before
    less: "Contestant | None" = None
    times: int = 1

    @property
    def command(self) -> list[str]:
        """The words after the interpreter."""
        off = [w for name in PLUGINS if name not in self.plugins for w in ("-p", f"no:{name}")]
        return list(self.argv) or ["-m", "pytest", "-q", *off, *self.options]

    @property
    def is_ours(self) -> bool:
        """Whether it is a run with the harness."""
        return "throwaway_mysql" in self.plugins

    @property
    def makes(self) -> tuple[object, ...]:
        """What only a first run makes: templates, copies of schemas, compiled files, databases."""
        return self.project, self.version, self.schema, (*self.argv, *self.environ)

    def before(self) -> "Contestant":
        """Return the same run with the other version of the harness."""
        return replace(self, version="before", less=self.less and self.less.before())


DJANGO = ["manage.py", "test", "--noinput"]
RUNS = {
    "none": Contestant("pytest without a database, without this package", "none"),
    "unused": Contestant("the same, with this package installed", "none", OURS),
    "harness": Contestant("throwaway-mysql, private server", "harness", OURS),
    "configured": Contestant(
        "throwaway-mysql, a server that runs already",
        "harness",
        OURS,
        environ={"CONFIGURED": "yes"},
    ),
    "pytest-mysql": Contestant("pytest-mysql", "pytest-mysql", PYTEST_MYSQL),
    "pytest-mysql tuned": Contestant(
        "pytest-mysql with the flags of throwaway-mysql's server, `--basetemp` in memory",
        "pytest-mysql tuned",
        PYTEST_MYSQL,
    ),
    "django": Contestant("Django's test runner, a server that runs already", "django", argv=DJANGO),
    "django keepdb": Contestant(
        "the same with `--keepdb`, from the second run on", "django", argv=[*DJANGO, "--keepdb"]
    ),
    "utils": Contestant("SQLAlchemy-Utils and `create_all`, a server that runs already", "utils"),
    "sqlite": Contestant("SQLite in memory and `create_all`", "sqlite"),
}
MODULES = Contestant("200 modules, without pytest-xdist", "modules", OURS, schema=(10, 5))
MANY_MODULES = {
    "modules": MODULES,
    **{
        f"modules {way}": replace(
            MODULES, title=f"200 modules, `{way}`", plugins=XDIST, options=way.split()
        )
        for way in ("-n 1", "-n 2")
    },
}
FURTHER = 40  # databases of a run, besides the first
TESTS = 400  # in one database


def _further(contestant: Contestant) -> Contestant:
    """Return the cost of a further database: a run with one for each test, less one with one."""
    environ = {"TESTS": str(FURTHER + 1)}
    return replace(contestant, environ=environ, less=contestant, times=FURTHER)


def _restored(title: str, **environ: str) -> Contestant:
    """Return the cost of rows put back: a run with that, less one without."""
    environ["TESTS"] = str(TESTS)
    without, restoring = (
        Contestant(title, "harness", OURS, ["-o", f"mysql_isolation={way}"], (), environ, (10, 5))
        for way in ("none", "delete")
    )
    return replace(restoring, less=without, times=TESTS)


def _database(revisions: int, tables: int) -> Contestant:
    title = f"throwaway-mysql, revisions: {revisions}, tables: {tables}"
    per_test = ["-o", "mysql_database=test"]
    return Contestant(title, "harness", OURS, per_test, schema=(revisions, tables))


COSTS = {
    **{f"further {a}-{b}": _further(_database(a, b)) for a, b in SCHEMAS},
    "further alembic": _further(
        Contestant("every revision each time, 50 revisions, 20 tables", "alembic", schema=(50, 20))
    ),
    "further utils": _further(
        Contestant(
            "SQLAlchemy-Utils and `create_all`, the same 20 tables", "utils", schema=(50, 20)
        )
    ),
    "restored": _restored("rows put back after a test that changed one of 5 tables"),
    "unchanged": _restored("rows put back after a test that changed nothing", READ_ONLY="yes"),
}


def ratios_before() -> list[Ratio]:
    """Return how the harness compares with its other version."""
    runs = {**RUNS, **MANY_MODULES, **COSTS}
    each = {f"{name} ms": run.title for name, run in runs.items() if run.is_ours}
    each["modules Rss"] = "memory of the private server after 200 modules"
    return [
        Ratio(f"{title}: now / before", series, f"before {series}", "", "≤ 1.1", "≤ 1.1")
        for series, title in each.items()
    ]
