"""What callers of the API send, part by part; a field's description says what it may be."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from counter.tally import LARGEST, MOST

Name = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$", description="1 to 64 of A-Z a-z 0-9 _ . -"),
]
Key = Annotated[str, Field(pattern=r"^[!-~]{1,64}$")]
KEY = "1 to 64 visible ASCII characters, no space"
Amount = Annotated[
    int, Field(ge=1, le=LARGEST, description=f"a whole number from 1 to {LARGEST:,}")
]


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

    key: Key | None = Field(None, alias="Idempotency-Key", description=KEY)


class HitBody(Model):
    """The body of a hit, which may be empty."""

    by: Amount = 1


class HitOfMany(Names, HitBody):
    """One of the hits that are sent together."""

    idempotency_key: Key | None = Field(None, description=KEY)


class HitsBody(Model):
    """The body of hits that are counted all or none."""

    hits: list[HitOfMany] = Field(
        min_length=1, max_length=MOST, description=f"a list of 1 to {MOST:,} hits"
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
