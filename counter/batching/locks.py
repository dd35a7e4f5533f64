"""Counters that somebody else has locked, and when each is looked at again."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

LOOK_AGAIN = 0.05  # seconds, where a lock can be seen
UNSEEN = 5.0  # seconds, where only to wait for it tells of it


@dataclass(slots=True)
class Seen:
    """What is seen of the locks on counters: which are `locked`, with their counts.

    Those that are `new` lack a row, and a lock on what is not there yet is not seen.
    """

    locked: dict[str, str]
    new: set[str]

    def unchanged(self, later: Mapping[str, str]) -> dict[str, str]:
        """Return those that are locked later, too, with the same counts."""
        return {name: counts for name, counts in later.items() if self.locked[name] == counts}

    def add(self, other: "Seen") -> None:
        """Take up what was seen of other counters."""
        self.locked |= other.locked
        self.new |= other.new


@dataclass(slots=True)
class Lock:
    """A counter's lock; `counts` are those that it had when the lock was seen, if it was."""

    look_at: float  # on the event loop's clock
    counts: str


class Locks(dict[str, Lock]):
    """The counters that are locked, as far as is known.

    One whose counts have changed since was not locked all the time: other processes count on it.
    Each holds its lock only until it commits, but together they may hold it whenever one looks.
    """

    def see(self, counts: Mapping[str, str], now: float) -> None:
        """Take up locks that were seen, and what their counters' counts were."""
        for name, count in counts.items():
            self[name] = Lock(now + LOOK_AGAIN, count)

    def suppose(self, names: Collection[str], now: float) -> None:
        """Take up locks that nobody can see."""
        for name in names:
            self[name] = Lock(now + UNSEEN, "")

    def looks(self) -> Iterator[float]:
        """Return when each is to be looked at again."""
        return (lock.look_at for lock in self.values())

    def due(self, now: float) -> list[str]:
        """Return those that are to be looked at again."""
        return [name for name, lock in self.items() if lock.look_at <= now]

    def release(self, due: Collection[str], seen: Mapping[str, str], now: float) -> None:
        """Forget those of the due that are locked no longer, or were not all the time."""
        for name in due:
            counts = self.pop(name).counts
            if name in seen and counts in ("", seen[name]):
                self.see({name: seen[name]}, now)
