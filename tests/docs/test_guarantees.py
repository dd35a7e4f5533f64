"""Every guarantee in docs/guarantees.md names tests that exist."""

import re

from tests.support.project import PROJECT

GUARANTEES = (PROJECT / "docs/guarantees.md").read_text()


def test_every_test_that_it_names_is_there() -> None:
    files = [
        file
        for under in ("tests/**/", "counter/**/", "web/")
        for file in PROJECT.glob(f"{under}test_*.py")
    ]
    there = {name for path in files for name in re.findall(r"def (test_\w+)", path.read_text())}
    assert set(re.findall(r"`(test_\w+)`", GUARANTEES)) <= there


def test_every_promise_names_a_test() -> None:
    promises = re.split(r"^\d+\. ", GUARANTEES.partition("## Against")[0], flags=re.M)[1:]
    assert len(promises) == 10
    assert [promise for promise in promises if "`test_" not in promise] == []
