"""What one process of a run did and when: its tests, its databases, how long each step took."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass
class Ran:
    """A test while it ran; times are time.monotonic()'s."""

    name: str
    begin: float
    end: float = float("inf")


class Step(NamedTuple):
    """A step, its seconds, and what it was for: a module, a test, or nothing of these."""

    name: str
    seconds: float
    purpose: str


@dataclass
class Journal:
    """Tests in the order in which they ran, and each database's module or test."""

    tests: list[Ran] = field(default_factory=list)
    purposes: dict[str, str] = field(default_factory=dict)
    _steps: list[Step] = field(default_factory=list)  # with a database as its purpose

    def begin(self, name: str) -> None:
        """Note that a test begins."""
        self.tests.append(Ran(name, time.monotonic()))

    def end(self) -> None:
        """Note that the test that began last has ended."""
        if self.tests:  # another plugin may tell of an end alone
            self.tests[-1].end = time.monotonic()

    @contextmanager
    def step(self, name: str, database: str = "") -> Iterator[None]:
        """Time a step."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, time.perf_counter() - began, database)

    def add(self, name: str, seconds: float, database: str = "") -> None:
        """Note a step."""
        self._steps.append(Step(name, seconds, database))

    @property
    def steps(self) -> list[Step]:
        """All steps so far."""
        return [step._replace(purpose=self.purposes.get(step.purpose, "")) for step in self._steps]

    def of(self, database: str) -> str:
        """Return a database's name with what it was made for, as far as that is known."""
        purpose = self.purposes.get(database)
        return f"{database} (of {purpose})" if purpose else database

    def culprit(self, database: str, windows: Sequence[tuple[float, float]]) -> str:
        """Say in which test something was left in a database, or "" where no test ran.

        `windows` are times between which that was, the best first: one in which only one test
        ran decides.
        """
        purpose = self.purposes.get(database, "")
        tests = [test for test in self.tests if test.name.startswith(purpose)]
        found = [_during(tests, *window) for window in windows]
        found = sorted((names for names in found if names), key=len)
        if not found:
            return f"; the last test there was {tests[-1].name}" if tests else ""
        if len(found[0]) == 1:
            return f", left in {found[0][0]}"
        return f", left in one of {len(found[0])} tests from {found[0][0]} to {found[0][-1]}"


def _during(tests: Sequence[Ran], since: float, until: float) -> list[str]:
    return [test.name for test in tests if test.begin <= until and test.end >= since]
