"""Hits, and the numbers that they are answered."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

SIGN = "[A-Za-z0-9_.-]"
# A namespace or a key: 1 to 64 signs, but not `.` or `..`, which clients and proxies resolve in the
# path of a URL. Spelled without a lookahead, which many regex engines lack, pydantic's for one.
PART = rf"(?:[A-Za-z0-9_-]{SIGN}{{0,63}}|\.[A-Za-z0-9_-]{SIGN}{{0,62}}|\.\.{SIGN}{{1,62}})"
NAME = re.compile(f"{PART}/{PART}", re.ASCII)
KEY = re.compile(r"[!-~]{1,64}", re.ASCII)  # visible ASCII
MAX_BY = 1_000_000  # that one hit adds
MAX_HITS = 1000  # hits of a batch, so of a request

REUSED = "The idempotency key was used with another `by` on this counter. Nothing was counted."

CounterKey = tuple[str, str]  # a counter's name and an idempotency key of it


@dataclass(slots=True)  # frozen, it would take twice as long to make
class Hit:
    """Something to count: `by` on the counter `name`, once for each idempotency key."""

    name: str  # namespace/key
    by: int = 1
    key: str | None = None

    def is_valid(self) -> bool:
        """Tell whether name, number and key are within their limits."""
        if self.key is not None and not KEY.fullmatch(self.key):
            return False
        return 1 <= self.by <= MAX_BY and NAME.fullmatch(self.name) is not None


@dataclass(slots=True)
class Counted:
    """What a hit is answered: the count right after it, and whether its key was known."""

    count: int
    replayed: bool


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What is kept for a key: the count that its hit was answered, and the `by` of that."""

    by: int
    count: int


def check(hits: Sequence[Hit]) -> None:
    """Refuse what callers have to keep from the batcher."""
    for hit in hits:
        if not hit.is_valid():
            raise ValueError(f"not a hit: {hit}")
    if len(hits) == 1:
        return
    keyed = [(hit.name, hit.key) for hit in hits if hit.key is not None]
    if not 1 <= len(hits) <= MAX_HITS or len(set(keyed)) < len(keyed):
        raise ValueError(f"not from 1 to {MAX_HITS} hits, each key once on its counter")
