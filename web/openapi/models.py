"""Models of requests and responses: their base class, and problem documents."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Model(BaseModel):
    """The base of all models: converts nothing and ignores nothing."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class FieldProblem(Model):
    """A problem with a field or parameter of a request."""

    field: str
    problem: str


class Problem(Model):
    """A problem document (RFC 9457), with `errors` if fields of the request are not valid."""

    type: Literal["about:blank"]
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] = Field(default_factory=list)
