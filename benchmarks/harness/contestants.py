"""Whole test runs, and what each needs."""

from collections.abc import Sequence
from dataclasses import dataclass

# Plugins that a project would not have; pytest's cache writes the same for all.
PLUGINS = "throwaway_mysql", "pytest_mysql", "pytest_databases", "xdist"
DOCKER = "needs Docker, which this machine lacks"


@dataclass(frozen=True)
class Contestant:
    """A test run of `project`: pytest with these of PLUGINS, or else what `argv` says.

    `options` are words of the command line, or names of lists of them that the stage has.
    """

    title: str
    project: str
    plugins: Sequence[str] = ()
    options: Sequence[str] = ()
    argv: Sequence[str] = ()
    docker: bool = False
    configured: bool = False  # whether it is given a server that runs already

    @property
    def command(self) -> list[str]:
        """The words after the interpreter."""
        if self.argv:
            return list(self.argv)
        off = [
            word for name in PLUGINS if name not in self.plugins for word in ("-p", f"no:{name}")
        ]
        return ["-m", "pytest", "-q", *off, *self.options]


HARNESS = ("throwaway_mysql",)
RUNS = {
    "none": Contestant("pytest without a database, without this package", "none"),
    "unused": Contestant("the same, with this package installed", "none", HARNESS),
    "harness": Contestant(
        "throwaway-mysql, private server", "harness", HARNESS, ["--mysqld={program}"]
    ),
    "configured": Contestant(
        "throwaway-mysql, a server that runs already", "harness", HARNESS, configured=True
    ),
    "pytest-mysql": Contestant("pytest-mysql", "pytest-mysql", ["pytest_mysql"], ["{plain}"]),
    "pytest-mysql tuned": Contestant(
        "pytest-mysql with the flags of throwaway-mysql's server, `--basetemp` in memory",
        "pytest-mysql",
        ["pytest_mysql"],
        ["{tuned}", "--basetemp={memory}"],
    ),
    "django": Contestant(
        "Django's test runner, a server that runs already",
        "django",
        argv=["manage.py", "test", "--noinput"],
        configured=True,
    ),
    "django kept": Contestant(
        "the same with `--keepdb`, from the second run on",
        "django",
        argv=["manage.py", "test", "--noinput", "--keepdb"],
        configured=True,
    ),
    "utils": Contestant(
        "SQLAlchemy-Utils and `create_all`, a server that runs already", "utils", configured=True
    ),
    "sqlite": Contestant("SQLite in memory and `create_all`", "sqlite"),
    "pytest-databases": Contestant(
        "pytest-databases", "pytest-databases", ["pytest_databases"], docker=True
    ),
    "testcontainers": Contestant("testcontainers", "testcontainers", docker=True),
}
MODULES = {
    "alone": Contestant("without pytest-xdist", "modules", HARNESS, ["--mysqld={program}"]),
    "one": Contestant("`-n 1`", "modules", [*HARNESS, "xdist"], ["--mysqld={program}", "-n", "1"]),
    "two": Contestant("`-n 2`", "modules", [*HARNESS, "xdist"], ["--mysqld={program}", "-n", "2"]),
}
