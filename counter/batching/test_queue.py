"""Which requests are taken together, and which are kept apart."""

import asyncio

from counter.batching.pending import Pending
from counter.batching.queue import Queue
from counter.hits import MAX_HITS, Hit


def request(*names: str) -> Pending:
    """Return a request with hits on these counters."""
    return Pending([Hit(name) for name in names], 0, asyncio.get_running_loop().create_future())


def filled(*requests: Pending) -> Queue:
    """Return a queue in which these requests wait."""
    queue = Queue(10_000)
    for each in requests:
        assert queue.add(each)
    return queue


def taken(queue: Queue) -> list[list[str]]:
    """Take all requests that are ready; return the counters of their first hits, by batch."""
    batches = []
    while queue.is_ready():
        batches.append([each.hits[0].name for each in queue.take(MAX_HITS)])
    return batches


async def test_small_and_large_requests_take_turns() -> None:
    large = [request(*["l/l"] * MAX_HITS) for _ in range(5)]
    small = [request("s/s") for _ in range(2 * MAX_HITS)]
    assert [len(batch) for batch in taken(filled(*large, *small))] in (
        [1, MAX_HITS, 1, MAX_HITS, 1, 1, 1],
        [MAX_HITS, 1, MAX_HITS, 1, 1, 1, 1],
    )


async def test_requests_on_a_locked_counter_wait_until_it_is_released() -> None:
    queue = filled(request("a/a"), request("b/b", "a/a"), request("b/b"))
    queue.lock({"a/a": "1 1"}, 0)
    queue.add(request("a/a"))
    assert taken(queue) == [["b/b"]]
    queue.release(["a/a"], {}, 0)
    assert taken(queue) == [["a/a", "b/b", "a/a"]]


async def test_requests_on_a_suspect_are_taken_alone_and_in_turn_with_the_others() -> None:
    queue = filled(request("a/a"), request("b/b"), request("a/a"), request("c/c"))
    queue.suspect(["a/a"])
    queue.add(request("a/a", "c/c"))
    assert sorted(taken(queue)[:2]) == [["a/a"], ["b/b", "c/c"]]
    assert taken(queue) == []


async def test_a_group_whose_counter_is_locked_meanwhile_waits() -> None:
    queue = filled()
    queue.isolate([request("a/a"), request("b/b")], [request("a/a")])
    queue.lock({"a/a": "1 1"}, 0)
    assert [batch for batch in taken(queue) if batch] == [["b/b"]]
    assert queue.has_parked()


async def test_requests_on_a_suspect_have_room_for_as_many_hits_as_others() -> None:
    queue = Queue(10)
    queue.suspect(["a/a"])
    assert [queue.add(request(*["a/a"] * hits)) for hits in (6, 5, 4, 1)] == [
        True,
        False,
        True,
        False,
    ]
    queue.take(MAX_HITS)
    assert queue.add(request(*["a/a"] * 6))
