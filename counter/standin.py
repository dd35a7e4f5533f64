"""Stands in for Tally.count and its Hit and Number until the tally has them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from counter.tally import Tally


@dataclass(frozen=True, slots=True)
class Hit:
    """A hit as a caller wants it counted."""

    name: str
    by: int = 1
    key: str | None = None


class Number(NamedTuple):
    """What a hit is answered."""

    count: int  # type: ignore[assignment]  # also a tuple's method
    replayed: bool


async def count(tally: Tally, hits: Sequence[Hit], within: float) -> list[Number]:
    """Count one hit after the other."""
    return [Number(await tally.hit(hit.name, hit.by, within), replayed=False) for hit in hits]
