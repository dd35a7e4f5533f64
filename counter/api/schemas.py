"""The API's requests and responses; a field's description says what it may be."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from counter.hits import KEY, MAX_BY, MAX_COUNT, MAX_HITS, PART, SIGN
from web.openapi.models import Model

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


def _integer(number: Any) -> Any:
    """Accept 2.0 and 1e3, which are integers in JSON Schema."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _digits(text: Any) -> int:
    """Read a URL parameter; int() alone would accept 1_0 and digits of any script."""
    if not (isinstance(text, str) and text.isascii() and text.isdecimal()):
        raise ValueError
    return int(text)


def _moment(text: Any) -> datetime:
    """Read a time; fromisoformat() alone would accept other formats too."""
    if not (isinstance(text, str) and RFC_3339.fullmatch(text.upper())):
        raise ValueError
    try:
        moment = datetime.fromisoformat(text.upper()).astimezone(UTC)
    except OverflowError:  # beyond the year 9999
        raise ValueError from None
    if moment < FIRST:
        raise ValueError
    return moment


Name = Annotated[str, Field(pattern=f"^{PART}$", description=NAME_RULE)]
Namespace = Annotated[Name, Field(examples=["blog"])]
CounterKey = Annotated[Name, Field(examples=["front-page"])]
IdempotencyKey = Annotated[str, Field(pattern=f"^{KEY.pattern}$")]
# Names stored before `.` and `..` were refused are still listed, and pages continue after them.
StoredName = Annotated[str, Field(pattern=f"^{SIGN}{{1,64}}$")]
Count = Annotated[
    int, Field(ge=0, le=MAX_COUNT, json_schema_extra={"format": "int64"}, examples=[45])
]
Amount = Annotated[
    int,
    Field(ge=1, le=MAX_BY, description=f"a whole number from 1 to {MAX_BY:,}", examples=[3]),
    BeforeValidator(_integer),
]
# The pattern documents that years begin at 1000.
MOMENT_SCHEMA = WithJsonSchema({"type": "string", "format": "date-time", "pattern": "^[1-9]"})
Moment = Annotated[datetime, BeforeValidator(_moment), MOMENT_SCHEMA]


class CounterPath(Model):
    """The path of a counter."""

    namespace: Namespace
    key: CounterKey

    @property
    def name(self) -> str:
        """The counter's full name."""
        return f"{self.namespace}/{self.key}"


class HitHeaders(Model):
    """The header that makes a hit safe to send again."""

    idempotency_key: IdempotencyKey | None = Field(
        None, alias="Idempotency-Key", description=KEY_RULE, examples=["8e03978e-40d5"]
    )


class HitBody(Model):
    """The body of a hit, which may be empty."""

    by: Amount = 1


class HitOfMany(HitBody, CounterPath):
    """One of several hits sent together."""

    idempotency_key: IdempotencyKey | None = Field(None, description=KEY_RULE)


class HitsBody(Model):
    """The body of many hits, which are counted all or none."""

    hits: list[HitOfMany] = Field(
        min_length=1,
        max_length=MAX_HITS,
        description=f"a list of 1 to {MAX_HITS:,} hits",
        examples=[
            [
                {"namespace": "blog", "key": "front-page", "idempotency_key": "5c1b9a77"},
                {"namespace": "blog", "key": "about", "by": 2},
            ]
        ],
    )


class CountersQuery(Model):
    """The page of counters that is asked for."""

    namespace: Name | None = Field(None, description=NAME_RULE, examples=["blog"])
    after: Annotated[str, Field(pattern=f"^{SIGN}{{1,64}}/{SIGN}{{1,64}}$")] | None = Field(
        None, description="the namespace/key of a counter"
    )
    limit: Annotated[int, BeforeValidator(_digits)] = Field(
        100, ge=1, le=PAGE, description=f"a whole number from 1 to {PAGE:,}", examples=[1]
    )


class HoursQuery(Model):
    """The hours that are asked for."""

    start: Moment | None = Field(
        None, alias="from", description=MOMENT_RULE, examples=["2026-11-20T00:00:00Z"]
    )
    end: Moment | None = Field(
        None, alias="to", description=MOMENT_RULE, examples=["2026-11-21T13:00:00+01:00"]
    )


class CounterName(Model):
    """The two parts of a counter's name."""

    namespace: Annotated[StoredName, Field(examples=["blog"])]
    key: Annotated[StoredName, Field(examples=["front-page"])]


class HitResponse(CounterName):
    """The counter's count right after the hit."""

    count: Count


class HitResponseHeaders(Model):
    """Whether the hit was a replay."""

    idempotent_replayed: Annotated[str, WithJsonSchema({"const": "true"})] = Field(
        alias="Idempotent-Replayed",
        description="Present, and true, if the hit was counted before and not counted again.",
    )


class HitOfManyResponse(HitResponse):
    """As for one hit; `replayed` if it was counted before and not counted again."""

    replayed: bool = Field(examples=[False])


class HitsResponse(Model):
    """The response to many hits, in their order."""

    hits: list[HitOfManyResponse] = Field(
        examples=[
            [
                {"namespace": "blog", "key": "front-page", "count": 46, "replayed": False},
                {"namespace": "blog", "key": "about", "count": 2, "replayed": False},
            ]
        ]
    )


class CounterResponse(HitResponse):
    """A counter; it was created by its first hit and updated by its last."""

    created: datetime = Field(examples=["2026-11-20T08:15:00.271828Z"])
    updated: datetime = Field(examples=["2026-11-21T12:00:00.314159Z"])


class CountersResponse(Model):
    """A page of counters, in the order of their names, and the URL of the next page."""

    counters: list[CounterResponse]
    next: str | None = Field(
        examples=["/api/v1/counters?namespace=blog&limit=1&after=blog/front-page"]
    )


class HourResponse(Model):
    """An hour, by its beginning, and what was counted in it."""

    hour: datetime = Field(examples=["2026-11-20T08:00:00Z"])
    count: Count


class HoursResponse(CounterName):
    """The hours with hits that begin at or after `from` and before `to`."""

    start: datetime = Field(alias="from", examples=["2026-11-20T00:00:00Z"])
    end: datetime = Field(alias="to", examples=["2026-11-21T12:00:00Z"])
    hours: list[HourResponse]
