"""What the API answers; a field's description says what it tells."""

from typing import Annotated

from pydantic import Field

from counter.schemas import Model, Name

Count = Annotated[int, Field(ge=0, lt=2**64, json_schema_extra={"format": "uint64"})]


class HitAnswer(Model):
    """The counter's count right after the hit."""

    namespace: Name
    key: Name
    count: Count


class HitOfManyAnswer(HitAnswer):
    """As for one hit; `replayed` where it had been counted before, and was not again."""

    replayed: bool


class HitsAnswer(Model):
    """What many hits are answered, in their order."""

    hits: list[HitOfManyAnswer]
