"""Counters that somebody else has locked, and when each is probed again."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

PROBE_INTERVAL = 0.05  # seconds, where a probe finds a lock
BLIND_INTERVAL = 5.0  # seconds, where only to wait for it tells of it


@dataclass(slots=True)
class LockState:
    """What a probe found: which counters are `locked`, with their counts.

    Those that are `new` lack a row, and a probe finds no lock on what is not there yet.
    """

    locked: dict[str, str]
    new: set[str]

    def unchanged(self, later: Mapping[str, str]) -> dict[str, str]:
        """Return those that are locked later, too, with the same counts."""
        return {name: counts for name, counts in later.items() if self.locked[name] == counts}

    def add(self, other: "LockState") -> None:
        """Add what a probe of other counters found."""
        self.locked |= other.locked
        self.new |= other.new


@dataclass(slots=True)
class Lock:
    """A counter's lock; `counts` are those that it had when a probe found it, if one did."""

    probe_at: float  # on the event loop's clock
    counts: str


class Locks(dict[str, Lock]):
    """The counters that are locked, as far as is known.

    One whose counts have changed since was not locked all the time: other processes count on it.
    Each holds its lock only until it commits, but together they may hold it at every probe.
    """

    def observe(self, counts: Mapping[str, str], now: float) -> None:
        """Add locks that a probe found, and what their counters' counts were."""
        for name, count in counts.items():
            self[name] = Lock(now + PROBE_INTERVAL, count)

    def assume(self, names: Collection[str], now: float) -> None:
        """Add locks that no probe finds."""
        for name in names:
            self[name] = Lock(now + BLIND_INTERVAL, "")

    def probe_times(self) -> Iterator[float]:
        """Return when each is to be probed again."""
        return (lock.probe_at for lock in self.values())

    def due(self, now: float) -> list[str]:
        """Return those that are to be probed again."""
        return [name for name, lock in self.items() if lock.probe_at <= now]

    def release(self, due: Collection[str], locked: Mapping[str, str], now: float) -> None:
        """Forget those of the due that are locked no longer, or were not all the time."""
        for name in due:
            counts = self.pop(name).counts
            if name in locked and counts in ("", locked[name]):
                self.observe({name: locked[name]}, now)
