"""Models of requests and responses: the base of all, and the problem documents."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Model(BaseModel):
    """What all models have in common: nothing is converted or ignored."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


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
