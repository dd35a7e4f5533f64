"""Hits, and what they are answered: a number, or an error that says what became of them."""

import re
from dataclasses import dataclass

SIGN = "[A-Za-z0-9_.-]"
# A namespace or a key: 1 to 64 signs, but not `.` or `..`, which clients and proxies resolve in the
# path of a URL. Spelled without a lookahead, which many regex engines lack, pydantic's for one.
PART = rf"(?:[A-Za-z0-9_-]{SIGN}{{0,63}}|\.[A-Za-z0-9_-]{SIGN}{{0,62}}|\.\.{SIGN}{{1,62}})"
NAME = re.compile(f"{PART}/{PART}", re.ASCII)
KEY = re.compile(r"[!-~]{1,64}", re.ASCII)  # visible ASCII
MAX_BY = 1_000_000  # that one hit adds
MAX_COUNT = 2**53 - 1  # the largest whole number that is exact in JavaScript
MAX_HITS = 1000  # hits of a batch, so of a request

set_once = object.__setattr__

CounterKey = tuple[str, str]  # a counter's name and an idempotency key of it


@dataclass(frozen=True, slots=True, init=False)
class Hit:
    """Something to count: `by` on the counter `name`, once for each idempotency key.

    Each that exists is valid, and nobody looks again, though its parts go into SQL: a name that
    is none, a number or a key beyond its limits raises ValueError here.
    """

    name: str  # namespace/key
    by: int
    key: str | None

    def __init__(self, name: str, by: int = 1, key: str | None = None) -> None:
        # These types and no others: what a subclass has in it may not be what it shows in a text.
        if not (
            type(name) is str
            and type(by) is int
            and NAME.fullmatch(name)
            and 1 <= by <= MAX_BY
            and (key is None or (type(key) is str and KEY.fullmatch(key)))
        ):
            raise ValueError(f"not a hit: {name!r}, {by!r}, {key!r}")
        # By hand, as what a frozen dataclass does by itself takes twice as long.
        set_once(self, "name", name)
        set_once(self, "by", by)
        set_once(self, "key", key)


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


class HitError(Exception):
    """A request's hits got no number; the text tells the caller whether they were counted."""


class UnavailableError(HitError):
    """The database is away or too slow: later the hits may be counted."""


class RefusedHitError(HitError):
    """The database refuses one of the hits, and would again."""


class CountLimitError(HitError):
    """A count would exceed MAX_COUNT."""

    def __init__(self) -> None:
        super().__init__(f"The count would exceed {MAX_COUNT:,}. Nothing was counted.")


class TooManyHitsError(HitError):
    """The database takes fewer hits at a time."""


class ReusedKeyError(HitError):
    """An idempotency key came with another `by` before."""

    def __init__(self) -> None:
        super().__init__(
            "The idempotency key was used with another `by` on this counter. Nothing was counted."
        )
