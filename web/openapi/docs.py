"""The OpenAPI document, as JSON and as a page that needs no script and no other host."""

import json
from collections.abc import Iterator
from shlex import quote
from typing import Any
from urllib.parse import urlencode

from quart import Blueprint, Response, render_template, request

from web.errors import PROBLEM
from web.openapi.document import document
from web.openapi.responses import JSON

docs = Blueprint("docs", __name__, template_folder="templates")

# A field's name, its place in the request, what it must be, and what holds if it is left out.
Field = tuple[str, str, str, str]


@docs.get("/openapi.json")
async def openapi() -> Response:
    """Show the OpenAPI document, its keys unsorted."""
    servers = [{"url": request.root_path or "/"}]
    return Response(json.dumps({**document(), "servers": servers}), content_type=JSON)


@docs.get("/docs")
async def page() -> str:
    """Show the document as a page, with a command to try for each operation."""
    host = request.headers.get("Host") or request.host
    address = f"{request.scheme}://{host}{request.root_path}"
    operations = [
        {
            **operation,
            "heading": (method.upper(), path),
            "fields": [*_fields(operation)],
            "curl": curl(address, path, operation),
            "example": json.dumps(example(operation["responses"]["200"]), indent=2),
        }
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
    ]
    problem = document()["components"]["responses"]["422"]["content"][PROBLEM]["example"]
    return await render_template(
        "docs.html",
        document=document(),
        operations=operations,
        problem=json.dumps(problem, indent=2),
    )


def curl(address: str, path: str, operation: dict[str, Any]) -> str:
    """Return the command that sends an operation's example."""
    sent: dict[str, dict[str, str]] = {"path": {}, "query": {}, "header": {}}
    for parameter in operation["parameters"]:
        for value in parameter["schema"].get("examples", []):
            sent[parameter["in"]][parameter["name"]] = value
    query = "?" + urlencode(sent["query"], safe=":/") if sent["query"] else ""
    body = operation.get("requestBody")
    if body:
        sent["header"]["Content-Type"] = JSON
    parts = [f"curl {quote(address + path.format(**sent['path']) + query)}"]
    parts += [f"-H {quote(f'{name}: {value}')}" for name, value in sent["header"].items()]
    if body:
        parts.append(f"-d {quote(json.dumps(example(body)))}")
    return " \\\n  ".join(parts)


def example(message: dict[str, Any]) -> Any:
    """Return the example of a request body or a response."""
    return _example(message["content"][JSON]["schema"])


def _fields(operation: dict[str, Any]) -> Iterator[Field]:
    for parameter in operation["parameters"]:
        left_out = _left_out(parameter["schema"], required=parameter.get("required", False))
        yield parameter["name"], parameter["in"], parameter["description"], left_out
    if body := operation.get("requestBody"):
        yield from _fields_below(body["content"][JSON]["schema"], "")


def _fields_below(schema: dict[str, Any], above: str) -> Iterator[Field]:
    """Yield the fields of a schema, and those of the items of its lists."""
    for name, field in schema["properties"].items():
        left_out = _left_out(field, required=name in schema.get("required", []))
        yield above + name, "body", field["description"], left_out
        if "items" in field:
            yield from _fields_below(_resolved(field["items"]), f"{above}{name}.N.")


def _left_out(schema: dict[str, Any], *, required: bool) -> str:
    """Say what holds if a field is left out."""
    return "refused" if required else str(schema.get("default") or "")


def _example(schema: dict[str, Any]) -> Any:
    """Return a schema's own example, or one built from its fields' examples."""
    if fields := schema.get("properties"):
        return {name: _example(field) for name, field in fields.items()}
    if "items" not in schema:
        return schema["examples"][0]
    item = _resolved(schema["items"])
    found = schema["examples"][0] if "examples" in schema else [_example(item)]
    # In the order of the model: pydantic sorts the fields of an example by their names.
    return [{name: each[name] for name in item["properties"] if name in each} for each in found]


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema that a list's items refer to."""
    name = schema["$ref"].rpartition("/")[2]
    resolved: dict[str, Any] = document()["components"]["schemas"][name]
    return resolved
