"""What callers of the API send, part by part; a field's description says what it may be."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from counter.hits import KEY, MAX_BY, MAX_HITS, PART, SIGN

PAGE = 1000  # counters at most

NAME_RULE = "1 to 64 of A-Z a-z 0-9 _ . -, not . or .. alone"
KEY_RULE = "1 to 64 visible ASCII characters, no space"
MOMENT_RULE = (
    "an RFC 3339 time such as 2026-11-21T12:00:00Z, from the year 1000 on, no leap second;"
    " in a URL, a + is %2B"
)
RFC_3339 = re.compile(
    r"[1-9]\d{3}-\d\d-\d\dT([01]\d|2[0-3]):\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
FIRST = datetime(1000, 1, 1, tzinfo=UTC)  # of MySQL's

Name = Annotated[str, Field(pattern=f"^{PART}$", description=NAME_RULE)]
# What was stored before `.` and `..` were refused is still listed, and pages go on behind it.
StoredName = Annotated[str, Field(pattern=f"^{SIGN}{{1,64}}$")]
StoredFullName = Annotated[str, Field(pattern=f"^{SIGN}{{1,64}}/{SIGN}{{1,64}}$")]
Key = Annotated[str, Field(pattern=f"^{KEY.pattern}$")]


def _integer(number: Any) -> Any:
    """Take 2.0 and 1e3 for the integers that they are in JSON Schema."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _whole(text: Any) -> int:
    """Read a parameter of a URL; int() alone would take 1_0 and digits of any script."""
    if not (isinstance(text, str) and text.isascii() and text.isdecimal()):
        raise ValueError
    return int(text)


def _moment(text: Any) -> datetime:
    """Read a time; fromisoformat() alone would take much else."""
    if not (isinstance(text, str) and RFC_3339.fullmatch(text.upper())):
        raise ValueError
    try:
        moment = datetime.fromisoformat(text.upper()).astimezone(UTC)
    except OverflowError:  # beyond the year 9999
        raise ValueError from None
    if moment < FIRST:
        raise ValueError
    return moment


Amount = Annotated[
    int,
    Field(ge=1, le=MAX_BY, description=f"a whole number from 1 to {MAX_BY:,}"),
    BeforeValidator(_integer),
]
# The pattern lets the document say that years begin at 1000.
MOMENT_SCHEMA = WithJsonSchema({"type": "string", "format": "date-time", "pattern": "^[1-9]"})
Moment = Annotated[datetime, BeforeValidator(_moment), MOMENT_SCHEMA]


class Model(BaseModel):
    """What all have in common: nothing is converted, ignored or changed later."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


def rules_of(model: Any) -> dict[str, str | None]:
    """Return what each field of a model may be, by the name that callers know."""
    return {field.alias or name: field.description for name, field in model.model_fields.items()}


class Nothing(Model):
    """A part in which nothing may stand."""


class Names(Model):
    """The path of a counter."""

    namespace: Name
    key: Name


class KeyHeader(Model):
    """The header that makes a hit safe to send again."""

    key: Key | None = Field(None, alias="Idempotency-Key", description=KEY_RULE)


class HitBody(Model):
    """The body of a hit, which may be empty."""

    by: Amount = 1


class HitOfMany(HitBody, Names):
    """One of the hits that are sent together."""

    idempotency_key: Key | None = Field(None, description=KEY_RULE)


class HitsBody(Model):
    """The body of hits that are counted all or none."""

    hits: list[HitOfMany] = Field(
        min_length=1, max_length=MAX_HITS, description=f"a list of 1 to {MAX_HITS:,} hits"
    )


class HoursQuery(Model):
    """Which hours are asked for."""

    start: Moment | None = Field(None, alias="from", description=MOMENT_RULE)
    end: Moment | None = Field(None, alias="to", description=MOMENT_RULE)


class CountersQuery(Model):
    """Which page of the counters is asked for."""

    namespace: Name | None = Field(None, description=NAME_RULE)
    after: StoredFullName | None = Field(None, description="the namespace/key of a counter")
    limit: Annotated[int, BeforeValidator(_whole)] = Field(
        100, ge=1, le=PAGE, description=f"a whole number from 1 to {PAGE:,}"
    )


class HitRequest(Model):
    """A hit on the counter that the path names."""

    path: Names
    query: Nothing
    header: KeyHeader
    body: HitBody


class HitsRequest(Model):
    """Hits on any counters."""

    query: Nothing
    header: Nothing
    body: HitsBody


class CounterRequest(Model):
    """A look at a counter."""

    path: Names
    query: Nothing


class HoursRequest(Model):
    """A look at a counter's hours."""

    path: Names
    query: HoursQuery


class CountersRequest(Model):
    """A look at a page of the counters."""

    query: CountersQuery
