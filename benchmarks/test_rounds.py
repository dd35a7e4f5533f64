"""Which runs of the load are void."""

import pytest

from benchmarks import VoidError
from benchmarks.contestants import CONTESTANTS
from benchmarks.rounds import check


@pytest.mark.parametrize("counted", [1000, 1064])
def test_hits_under_way_at_the_end_may_be_counted(counted: int) -> None:
    check(CONTESTANTS["hits"], 64, 1000, counted)


@pytest.mark.parametrize("counted", [0, 999, 1065])
def test_a_run_that_lost_hits_or_made_some_up_is_void(counted: int) -> None:
    with pytest.raises(VoidError, match=f"1000 were answered and {counted} counted"):
        check(CONTESTANTS["hits"], 64, 1000, counted)


def test_what_counts_nothing_may_count_nothing() -> None:
    check(CONTESTANTS["static"], 64, 1000, 0)
    with pytest.raises(VoidError):
        check(CONTESTANTS["static"], 64, 1000, 1)
