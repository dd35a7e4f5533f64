"""What a run says of its databases at its end, whichever of its processes met it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from throwaway_mysql import ServerError

LINES = pytest.StashKey[list[str]]()
LINES_OUTPUT = "throwaway_mysql_lines"  # where a worker of pytest-xdist hands them back
RECORDED = "revisions recorded in"
NONE_RECORDED = (
    "no revisions recorded: test_no_recorded_revision_was_rewritten, of "
    "throwaway_mysql.migration_tests, has to be among the tests"
)


def say(config: pytest.Config, *lines: str) -> None:
    """Have the run's report show these lines."""
    config.stash.setdefault(LINES, []).extend(lines)


def said(config: pytest.Config) -> Sequence[str]:
    """Return all lines so far."""
    return config.stash.get(LINES, [])


class Report:
    """The hooks, for the plugin to register."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self) -> Iterator[None]:
        """Show what is wrong with a server as the one line that it is."""
        __tracebackhide__ = True
        with _one_line():
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self) -> Iterator[None]:
        """Do so in the end, too."""
        __tracebackhide__ = True
        with _one_line():
            return (yield)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Hand a worker's lines to the controller, which tells what none has done."""
        config = session.config
        if (output := getattr(config, "workeroutput", None)) is not None:
            output[LINES_OUTPUT] = list(said(config))
        elif config.getoption("record_revisions") and not any(
            RECORDED in line for line in said(config)
        ):
            say(config, NONE_RECORDED)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take the lines of a worker, unless it crashed."""
        say(node.config, *getattr(node, "workeroutput", {}).get(LINES_OUTPUT, []))

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


@contextmanager
def _one_line() -> Iterator[None]:
    __tracebackhide__ = True
    try:
        yield
    except (ServerError, BaseExceptionGroup) as error:
        said = list(_said(error))
        if not all(isinstance(one, ServerError) for one in said):
            raise
        lines = dict.fromkeys(map(str, said))
        raise pytest.fail.Exception("\n".join(lines), pytrace=False) from None


def _said(error: BaseException) -> Iterator[BaseException]:
    """Yield the errors of a tear-down in which several fixtures failed, or the one."""
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _said(one)
    else:
        yield error
