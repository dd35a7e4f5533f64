"""The OpenAPI document: made by quart-schema, plus what its decorators cannot express."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from quart import current_app
from quart_schema import OpenAPIProvider
from werkzeug.routing import Rule

from web.errors import PROBLEM, Invalid, problem
from web.openapi.models import Problem
from web.openapi.responses import ERRORS, ERRORS_ATTRIBUTE, JSON
from web.openapi.validation import PATH_ATTRIBUTE

OF_ALL = {"422", "503"}
OF_A_BODY = {"400", "413", "415"}
HEADERS = {
    "503": {"Retry-After": ("integer", "Seconds to wait before trying again.")},
    "default": {"Allow": ("string", "The allowed methods, after a wrong one.")},
}


def document() -> dict[str, Any]:
    """Return the document of the current app."""
    made: dict[str, Any] = current_app.extensions["QUART_SCHEMA"].openapi_provider.schema()
    return made


class Document(OpenAPIProvider):
    """Makes an app's document, once."""

    _made: dict[str, Any] | None = None

    def schema(self) -> dict[str, Any]:
        """Return the document."""
        if self._made is None:
            self._made = super().schema()
            model = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            self._made["components"]["schemas"] |= {**model.pop("$defs"), "Problem": model}
            self._made["components"]["responses"] = {code: _error(code) for code in ERRORS}
        return self._made

    def generate_rules(self) -> Iterable[Rule]:
        """Yield the rules of views that have the `returns` decorator."""
        for rule in super().generate_rules():
            if hasattr(self._app.view_functions[rule.endpoint], ERRORS_ATTRIBUTE):
                yield rule

    def build_paths(self, rule: Rule) -> tuple[dict[str, Any], dict[str, Any]]:
        """Add the path's schema, whether a body is required, and the errors."""
        paths, components = super().build_paths(rule)
        view = self._app.view_functions[rule.endpoint]
        for operation in (each for methods in paths.values() for each in methods.values()):
            operation["summary"] = operation["summary"].rstrip(".")
            operation["description"] = operation["description"].strip()
            operation["parameters"] = list(self._parameters(operation, view))
            body = operation.get("requestBody", {})
            if body:
                body["required"] = "required" in body["content"][JSON]["schema"]
            own: dict[str, str] = getattr(view, ERRORS_ATTRIBUTE)
            errors = OF_ALL | own.keys() | (OF_A_BODY if body else set())
            operation["responses"] = {
                **{str(code): response for code, response in operation["responses"].items()},
                **{code: _reference(code, own) for code in sorted(errors)},
                "default": _reference("default", own),
            }
        return paths, components

    def build_response_object(
        self, model: Any, headers_model: Any
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Put the headers where OpenAPI wants them: quart-schema makes them a media type."""
        response, components = super().build_response_object(model, headers_model)
        if headers := response["content"].pop("headers", {}):
            response["headers"] = headers
        return response, components

    def _parameters(self, operation: dict[str, Any], view: Any) -> Iterator[dict[str, Any]]:
        """Yield the parameters; those of the path get their schemas from its model."""
        if path_model := getattr(view, PATH_ATTRIBUTE, None):
            for parameter in self.build_querystring_parameters(path_model)[0]:
                yield {**parameter, "in": "path", "required": True}
        for parameter in operation["parameters"]:
            if parameter["in"] != "path":
                yield {**parameter, "schema": _without_null(parameter["schema"])}


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a parameter's schema without null: a parameter is left out instead."""
    bare = {**schema, **schema.get("anyOf", [{}])[0]}
    bare.pop("anyOf", None)
    if bare.get("default", 0) is None:
        del bare["default"]
    return bare


def _reference(code: str, own: Mapping[str, str]) -> dict[str, str]:
    """Refer to an error's response, with the operation's own description if it has one."""
    words = {"description": own[code]} if code in own else {}
    return {"$ref": f"#/components/responses/{code}", **words}


def _error(code: str) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": {"$ref": "#/components/schemas/Problem"}}
    if code == "422":
        example = Invalid([("limit", "must be a whole number from 1 to 1,000")])
        content["example"] = json.loads(problem(example))
    headers = {
        name: {"description": description, "schema": {"type": kind}}
        for name, (kind, description) in HEADERS.get(code, {}).items()
    }
    return {"description": ERRORS[code], "content": {PROBLEM: content}, "headers": headers}
