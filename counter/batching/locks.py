"""Counters that somebody else has locked, and when each is probed again."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

PROBE_INTERVAL = 0.05  # seconds, where a probe finds a lock
BLIND_INTERVAL = 5.0  # seconds, where only an attempt finds it


@dataclass(slots=True)
class LockState:
    """What a probe found: the counters that are `locked`, with their counts.

    The `new` ones lack a row, and a probe finds no lock on a row that is not there.
    """

    locked: dict[str, str]
    new: set[str]

    def unchanged(self, later: Mapping[str, str]) -> dict[str, str]:
        """Return those that are still locked `later`, with the same counts."""
        return {name: counts for name, counts in later.items() if self.locked[name] == counts}

    def add(self, other: "LockState") -> None:
        """Add the result of a probe of other counters."""
        self.locked |= other.locked
        self.new |= other.new


@dataclass(slots=True)
class Lock:
    """A counter's lock; `counts` are its counts when a probe found the lock, if one did."""

    probe_at: float  # on the event loop's clock
    counts: str


class Locks(dict[str, Lock]):
    """The counters that are locked, as far as we know.

    If a counter's counts have changed, its lock was free in between: other processes count on it.
    Each of them holds the lock only until it commits, but every probe may find one of them.
    """

    def observe(self, counts: Mapping[str, str], now: float) -> None:
        """Add locks that a probe found, with their counters' counts."""
        for name, count in counts.items():
            self[name] = Lock(now + PROBE_INTERVAL, count)

    def assume(self, names: Collection[str], now: float) -> None:
        """Add locks that a probe cannot find."""
        for name in names:
            self[name] = Lock(now + BLIND_INTERVAL, "")

    def probe_times(self) -> Iterator[float]:
        """Return when to probe each again."""
        return (lock.probe_at for lock in self.values())

    def due(self, now: float) -> list[str]:
        """Return the counters to probe again."""
        return [name for name, lock in self.items() if lock.probe_at <= now]

    def release(self, due: Collection[str], locked: Mapping[str, str], now: float) -> None:
        """Forget the due locks that are free, or were free since the last probe."""
        for name in due:
            counts = self.pop(name).counts
            if name in locked and counts in ("", locked[name]):
                self.observe({name: locked[name]}, now)
