"""Where requests wait: FIFO lanes, and groups that are tried in isolation."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from counter.batching.pending import Pending


class Lane:
    """Requests, first in, first out; `size` is the number of their hits."""

    def __init__(self) -> None:
        self.requests: deque[Pending] = deque()
        self.size = 0

    def __iter__(self) -> Iterator[Pending]:
        return iter(self.requests)

    def append(self, request: Pending) -> None:
        """Add a request behind all others."""
        self.requests.append(request)
        self.size += len(request.hits)

    def appendleft(self, request: Pending) -> None:
        """Add a request before all others."""
        self.requests.appendleft(request)
        self.size += len(request.hits)

    def take(self, most: int) -> list[Pending]:
        """Take out the first requests that together have at most `most` hits."""
        taken: list[Pending] = []
        while self.requests and len(self.requests[0].hits) <= most:
            request = self.requests.popleft()
            self.size -= len(request.hits)
            if not request.is_done():  # else it was withdrawn, or its caller is gone
                taken.append(request)
                most -= len(request.hits)
        return taken

    def drop_done(self) -> None:
        """Free the memory of requests that nobody waits for."""
        self.requests = deque(_live(self.requests))
        self.size = _size(self.requests)


class Groups:
    """Groups of requests, each to be tried on its own; `size` is the number of their hits."""

    def __init__(self) -> None:
        self.groups: deque[Sequence[Pending]] = deque()
        self.size = 0

    def __iter__(self) -> Iterator[Pending]:
        return chain(*self.groups)

    def append(self, request: Pending) -> None:
        """Add a request behind all others, as a group of its own."""
        self.groups.append([request])
        self.size += len(request.hits)

    def appendleft(self, *group: Pending) -> None:
        """Add a group before all others."""
        self.groups.appendleft(group)
        self.size += _size(group)

    def take(self) -> list[Pending]:
        """Take out the first group."""
        group = self.groups.popleft()
        self.size -= _size(group)
        return _live(group)

    def drop_done(self) -> None:
        """Free the memory of requests that nobody waits for."""
        self.groups = deque(filter(None, map(_live, self.groups)))
        self.size = _size(self)


def _live(requests: Iterable[Pending]) -> list[Pending]:
    return [request for request in requests if not request.is_done()]


def _size(requests: Iterable[Pending]) -> int:
    return sum(len(request.hits) for request in requests)
