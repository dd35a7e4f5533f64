"""The API's description, an OpenAPI document: its schemas are those that requests must meet."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from counter.api.answers import Problem
from counter.api.paths import ABOUT, ERRORS, HEADERS, OPERATIONS, Operation
from counter.api.schemas import Model
from web.errors import Invalid, problem

JSON, PROBLEM = "application/json", "application/problem+json"


class Untitled(GenerateJsonSchema):
    """Pydantic's schemas, without titles that repeat the names of fields."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        """Return no, for every field."""
        return False


@cache
def document() -> dict[str, Any]:
    """Return the document, which is the same for everybody."""
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _described(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Counter", "version": "1", "description": ABOUT},
        "paths": paths,
        "components": {"schemas": _schemas(), "headers": HEADERS, "responses": _errors()},
    }


def _described(operation: Operation) -> dict[str, Any]:
    described = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": operation.description,
        "parameters": list(_parameters(operation)),
        "responses": _responses(operation),
    }
    if body := _part(operation, "body"):
        required = any(field.is_required() for field in body.model_fields.values())
        content = _content(body, operation.sent["body"])
        described["requestBody"] = {"required": required, "content": content}
    return described


def _part(operation: Operation, part_name: str) -> Any:
    """Return the model of what stands in the path, query, header or body; None for nothing."""
    field = operation.request.model_fields.get(part_name)
    return field.annotation if field else None


def _parameters(operation: Operation) -> Iterator[dict[str, Any]]:
    for part_name in ("path", "query", "header"):
        if part := _part(operation, part_name):
            schema = part.model_json_schema(schema_generator=Untitled)
            for name, about in schema.get("properties", {}).items():
                example = operation.sent.get(part_name, {}).get(name)
                yield {
                    "name": name,
                    "in": part_name,
                    "required": part_name == "path",
                    "description": about["description"],
                    "schema": _bare(about),
                } | ({"example": example} if example else {})


def _bare(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a parameter's schema without null, for which it is left out, and its description."""
    bare = {"default": schema.get("default"), **schema.get("anyOf", [schema])[0]}
    return {
        word: value for word, value in bare.items() if word != "description" and value is not None
    }


def _responses(operation: Operation) -> dict[str, Any]:
    answer = _response(operation.answer.__doc__ or "", *operation.headers)
    answer["content"] = _content(operation.answer, operation.answered)
    errors = [*map(str, operation.errors), "default"]
    return {"200": answer} | {code: _to("responses", code) for code in errors}


def _errors() -> dict[str, Any]:
    content = {"schema": _to("schemas", Problem.__name__)}
    errors = {
        code: _response(*about) | {"content": {PROBLEM: content}} for code, about in ERRORS.items()
    }
    example = Invalid([("by", "must be a whole number from 1 to 1,000,000")])
    errors["422"]["content"] = {PROBLEM: {**content, "example": json.loads(problem(example))}}
    return errors


def _response(description: str, *headers: str) -> dict[str, Any]:
    extra = {"headers": {name: _to("headers", name) for name in headers}} if headers else {}
    return {"description": description, **extra}


def _content(model: type[Model], example: Any) -> dict[str, Any]:
    return {JSON: {"schema": _to("schemas", model.__name__), "example": example}}


def _schemas() -> dict[str, Any]:
    models: list[Any] = [Problem, *(operation.answer for operation in OPERATIONS)]
    models += filter(None, (_part(operation, "body") for operation in OPERATIONS))
    _, schemas = models_json_schema(
        [(model, "validation") for model in models],
        ref_template=_to("schemas", "{model}")["$ref"],
        schema_generator=Untitled,
    )
    return dict(schemas["$defs"])


def _to(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}
