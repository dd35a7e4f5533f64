"""How long the steps of a run took, gathered from all its processes. Needs pytest."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

import pytest

from throwaway_mysql.databases.journal import Journal, Step

JOURNAL = pytest.StashKey[Journal]()
STEPS = pytest.StashKey[list[Step]]()  # of other processes
STEPS_OUTPUT = "throwaway_mysql_steps"  # where a worker of pytest-xdist hands them back
NAMED = 5  # databases, the slowest


def journal_of(config: pytest.Config) -> Journal:
    """Return what this process notes of the run."""
    return config.stash.setdefault(JOURNAL, Journal())


class Recorder:
    """The hooks, for the plugin to register: they note tests, and show the steps."""

    def __init__(self, config: pytest.Config) -> None:
        self.journal = journal_of(config)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Note a test's begin."""
        self.journal.begin(nodeid)

    def pytest_runtest_logfinish(self) -> None:
        """Note a test's end."""
        self.journal.end()

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: "pytest.FixtureDef[Any]") -> Iterator[None]:
        """Time the start of an app."""
        __tracebackhide__ = True
        if fixturedef.argname != "create_test_app":
            return (yield)
        with self.journal.step("app: start"):
            return (yield)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Hand a worker's steps to the controller."""
        if (output := getattr(session.config, "workeroutput", None)) is not None:
            output[STEPS_OUTPUT] = [list(step) for step in self.journal.steps]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take the steps of a worker, unless it crashed."""
        steps = getattr(node, "workeroutput", {}).get(STEPS_OUTPUT, [])
        node.config.stash.setdefault(STEPS, []).extend(Step(*step) for step in steps)

    def pytest_terminal_summary(
        self,
        terminalreporter: "pytest.TerminalReporter",  # which pytest names since 8.4
        config: pytest.Config,
    ) -> None:
        """Show the table, where it is asked for."""
        if config.getoption("--db-report"):
            terminalreporter.section("throwaway databases: milliseconds")
            for line in table([*self.journal.steps, *config.stash.get(STEPS, [])]):
                terminalreporter.write_line(line)


def table(steps: Sequence[Step]) -> Iterator[str]:
    """Yield a line for each kind of step, then one for each of the slowest databases."""
    from statistics import median  # which takes long: pytest loads this module in every run

    width = max([len(step.name) for step in steps], default=0)
    yield f"{'step':{width}} {'number':>7} {'median':>8} {'longest':>8} {'sum':>9}"
    for name, group in groupby(sorted(steps, key=attrgetter("name")), attrgetter("name")):
        took = [step.seconds * 1000 for step in group]
        figures = f"{median(took):8.1f} {max(took):8.1f} {sum(took):9.1f}"
        yield f"{name:{width}} {len(took):7} {figures}"
    slowest = sorted((step for step in steps if step.purpose), key=attrgetter("seconds"))
    for step in reversed(slowest[-NAMED:]):
        yield f"{step.seconds * 1000:.1f} {step.name}, for {step.purpose}"
