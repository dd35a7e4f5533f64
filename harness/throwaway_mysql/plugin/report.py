"""What a run says of its databases at its end, whichever of its processes met it."""

from collections.abc import Sequence
from typing import Any

import pytest

LINES = pytest.StashKey[list[str]]()
OUTPUT = "throwaway_mysql"  # what a worker of pytest-xdist hands back


def say(config: pytest.Config, *lines: str) -> None:
    """Have the run's report show these lines."""
    config.stash.setdefault(LINES, []).extend(lines)


def said(config: pytest.Config) -> Sequence[str]:
    """Return all lines so far."""
    return config.stash.get(LINES, [])


class Report:
    """The hooks, for the plugin to register."""

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Hand a worker's lines to the controller."""
        if (output := getattr(session.config, "workeroutput", None)) is not None:
            output[OUTPUT] = list(said(session.config))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take the lines of a worker, unless it crashed."""
        say(node.config, *getattr(node, "workeroutput", {}).get(OUTPUT, []))

    def pytest_terminal_summary(
        self,
        terminalreporter: "pytest.TerminalReporter",  # which pytest names since 8.4
        config: pytest.Config,
    ) -> None:
        """Show the lines."""
        if lines := said(config):
            terminalreporter.section("throwaway databases")
            for line in lines:
                terminalreporter.write_line(line)
