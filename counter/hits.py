"""Hits, and their answers: a number, or an error that says whether they were counted."""

import re
from dataclasses import dataclass

SIGN = "[A-Za-z0-9_.-]"
# A namespace or a key: 1 to 64 characters, but not `.` or `..`, which clients and proxies resolve
# in a URL's path. There is no lookahead, as many regex engines lack it, pydantic's among them.
PART = rf"(?:[A-Za-z0-9_-]{SIGN}{{0,63}}|\.[A-Za-z0-9_-]{SIGN}{{0,62}}|\.\.{SIGN}{{1,62}})"
NAME = re.compile(f"{PART}/{PART}", re.ASCII)
KEY = re.compile(r"[!-~]{1,64}", re.ASCII)  # visible ASCII
MAX_BY = 1_000_000  # added by one hit
MAX_COUNT = 2**53 - 1  # JavaScript's largest exact integer
MAX_HITS = 1000  # hits in a batch, and so in a request

set_once = object.__setattr__

CounterKey = tuple[str, str]  # a counter's name and one of its idempotency keys


@dataclass(frozen=True, slots=True, init=False)
class Hit:
    """A hit: adds `by` to the counter `name`, once for each idempotency key.

    Every Hit is valid: a bad name, `by` or key raises ValueError here. Its parts go into SQL
    without another check.
    """

    name: str  # namespace/key
    by: int
    key: str | None

    def __init__(self, name: str, by: int = 1, key: str | None = None) -> None:
        # Exactly these types: a subclass may format itself as something else.
        if not (
            type(name) is str
            and type(by) is int
            and NAME.fullmatch(name)
            and 1 <= by <= MAX_BY
            and (key is None or (type(key) is str and KEY.fullmatch(key)))
        ):
            raise ValueError(f"not a hit: {name!r}, {by!r}, {key!r}")
        # By hand: the __init__ that a frozen dataclass generates takes twice as long.
        set_once(self, "name", name)
        set_once(self, "by", by)
        set_once(self, "key", key)


@dataclass(slots=True)
class Counted:
    """A hit's answer: the count right after it, and whether its key was known."""

    count: int
    replayed: bool


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What is stored for a key: its hit's `by`, and the count in the answer."""

    by: int
    count: int


class HitError(Exception):
    """A request's hits got no number; the text tells the caller whether they were counted."""


class UnavailableError(HitError):
    """The database is away or too slow: the hits may succeed later."""


class RefusedHitError(HitError):
    """The database refuses one of the hits, and would refuse it again."""


class CountLimitError(HitError):
    """A count would exceed MAX_COUNT."""

    def __init__(self) -> None:
        super().__init__(f"The count would exceed {MAX_COUNT:,}. Nothing was counted.")


class TooManyHitsError(HitError):
    """The hits are too many for one packet to the database."""


class ReusedKeyError(HitError):
    """An idempotency key was used with another `by` before."""

    def __init__(self) -> None:
        super().__init__(
            "The idempotency key was used with another `by` on this counter. Nothing was counted."
        )
