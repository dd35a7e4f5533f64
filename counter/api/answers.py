"""What the API answers; a field's description says what it tells."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from counter.api.schemas import Model, StoredName

Count = Annotated[int, Field(ge=0, le=2**64 - 1, json_schema_extra={"format": "uint64"})]


def names(name: str) -> dict[str, str]:
    """Return the two parts of a counter's stored name, as the fields that answers have."""
    namespace, _, key = name.partition("/")
    return {"namespace": namespace, "key": key}


class HitAnswer(Model):
    """The counter's count right after the hit."""

    namespace: StoredName
    key: StoredName
    count: Count


class HitOfManyAnswer(HitAnswer):
    """As for one hit; `replayed` where it had been counted before, and was not again."""

    replayed: bool


class HitsAnswer(Model):
    """What many hits are answered, in their order."""

    hits: list[HitOfManyAnswer]


class CounterAnswer(HitAnswer):
    """A counter; it was created by its first hit and updated by its last."""

    created: datetime
    updated: datetime


class HourAnswer(Model):
    """What was counted in the hour that begins then."""

    hour: datetime
    count: Count


class HoursAnswer(Model):
    """The hours with hits that begin from `from` on and before `to`."""

    namespace: StoredName
    key: StoredName
    start: datetime = Field(alias="from")
    end: datetime = Field(alias="to")
    hours: list[HourAnswer]


class CountersAnswer(Model):
    """A page of the counters, in the order of their names, and where the next one is."""

    counters: list[CounterAnswer]
    next: str | None


class FieldProblem(Model):
    """What is wrong with a field, or a parameter, of a request."""

    field: str
    problem: str


class Problem(Model):
    """A problem document (RFC 9457); `errors` where fields of the request are not valid."""

    type: Literal["about:blank"]
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] = Field(default_factory=list)
