"""The queue of requests: which go next, and which are kept apart."""

import math
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain

from counter.batching.lanes import Groups, Lane
from counter.batching.locks import BLIND_INTERVAL, Locks
from counter.batching.pending import Pending

SMALL = 10  # hits
SUSPECTS = 1000  # counters remembered because their last request failed


class Queue:
    """Waiting requests, in lanes with room for `capacity` hits each.

    Small and large requests take turns, so a flood of large ones leaves half the time for small
    ones. Two kinds of request are kept apart, as others would wait or fail with them:

    - requests on a counter that somebody else has locked are parked until it is released;
    - requests on a counter in `suspects` are isolated: tried one by one, in turn with all others.
      So are the parts of a batch that failed.
    """

    def __init__(self, capacity: int) -> None:
        self.suspects: set[str] = set()  # counters whose last request failed
        self._capacity = capacity
        self._small, self._large, self._parked = Lane(), Lane(), Lane()
        self._turns = deque([self._small, self._large])
        self._isolated, self._isolated_next = Groups(), False
        self._locks = Locks()
        self.probe_at = math.inf  # when a parked request may be released, on the loop's clock

    def __iter__(self) -> Iterator[Pending]:
        return chain(self._isolated, self._small, self._large, self._parked)

    def is_ready(self) -> bool:
        """Tell whether a request may be taken."""
        return bool(self._small.size or self._large.size or self._isolated.size)

    def add(self, request: Pending) -> bool:
        """Add a request; return whether there was room for it."""
        lane = self._lane_of(request)
        if lane.size + len(request.hits) > self._capacity:
            return False
        lane.append(request)
        return True

    def put_back(self, requests: Sequence[Pending]) -> None:
        """Put requests back before all others."""
        for request in reversed(requests):
            request.sent = False
            self._lane_of(request).appendleft(request)

    def isolate(self, *groups: Sequence[Pending]) -> None:
        """Have each group tried on its own, before groups that are isolated already."""
        for group in filter(None, reversed(groups)):
            for request in group:
                request.sent = False
            self._isolated.appendleft(*group)

    def take(self, most: int) -> list[Pending]:
        """Take out an isolated group, or requests with at most `most` hits."""
        self._isolated_next = not self._isolated_next
        if self._isolated.size and (
            self._isolated_next or not (self._small.size or self._large.size)
        ):
            return self._take_isolated()
        self._turns.rotate()
        first, second = self._turns
        taken = first.take(most)
        if second.size:
            taken += second.take(most - sum(len(request.hits) for request in taken))
        return taken

    def lock(self, counts: Mapping[str, str], now: float) -> None:
        """Park requests on these counters, which a probe found locked, with these counts."""
        self._locks.observe(counts, now)
        self._sort()

    def park(self, request: Pending, new: Collection[str], now: float) -> None:
        """Park a request that waits for a lock that a probe cannot find.

        If only one of its counters is `new`, others on that counter are parked too. Otherwise it
        is not known which counter is locked: others are tried.
        """
        request.sent = False
        if len(new) == 1:
            self._locks.assume(new, now)
        else:
            request.parked_until = now + BLIND_INTERVAL
        self._parked.append(request)
        self.suspect(new or {hit.name for hit in request.hits})

    def has_parked(self) -> bool:
        """Tell whether a request is parked."""
        return self._parked.size > 0

    def due(self, now: float) -> list[str]:
        """Return the locked counters to probe again."""
        return self._locks.due(now)

    def release(self, due: Collection[str], locked: Mapping[str, str], now: float) -> None:
        """Release requests whose counters are no longer locked, or whose parking time is over."""
        self._locks.release(due, locked, now)
        for request in self._parked:
            if request.parked_until <= now:
                request.parked_until = 0
        self._sort()

    def suspect(self, names: Collection[str]) -> None:
        """Isolate requests on these counters until one succeeds."""
        if len(self.suspects) > SUSPECTS:
            self.suspects.clear()
        self.suspects.update(names)
        self._sort()

    def drop_done(self) -> None:
        """Free the memory of requests that nobody waits for."""
        for lane in (self._isolated, self._small, self._large, self._parked):
            lane.drop_done()

    def _sort(self) -> None:
        """Move each request to the lane where it belongs now."""
        lanes = (self._parked, self._small, self._large)
        for request in [request for lane in lanes for request in lane.take(lane.size)]:
            self._lane_of(request).append(request)
        parked = (request.parked_until for request in self._parked if request.parked_until)
        self.probe_at = min(chain(parked, self._locks.probe_times()), default=math.inf)

    def _take_isolated(self) -> list[Pending]:
        free: list[Pending] = []
        for request in self._isolated.take():
            if request.touches(self._locks):
                self._parked.append(request)
            else:
                free.append(request)
        return free

    def _lane_of(self, request: Pending) -> Lane | Groups:
        """Return where a request belongs."""
        if request.parked_until or (self._locks and request.touches(self._locks)):
            return self._parked
        if self.suspects and request.touches(self.suspects):
            return self._isolated
        return self._small if len(request.hits) <= SMALL else self._large
