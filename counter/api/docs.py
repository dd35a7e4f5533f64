"""The API's description, for programs, and as a page that needs no other host."""

import json
from collections.abc import Iterator
from shlex import quote
from typing import Any
from urllib.parse import urlencode

from quart import Blueprint, Response, render_template, request

from counter.api.openapi import JSON, PROBLEM, document

docs = Blueprint("docs", __name__, template_folder="templates")


@docs.get("/openapi.json")
async def openapi() -> Response:
    """Show the OpenAPI document, in the order that it was written in."""
    servers = [{"url": request.root_path or "/"}]
    return Response(json.dumps({**document(), "servers": servers}), content_type=JSON)


@docs.get("/docs")
async def page() -> str:
    """Show the document as a page, each operation with a command to try."""
    host = request.headers.get("Host") or request.host
    address = f"{request.scheme}://{host}{request.root_path}"
    operations = [
        {
            **about,
            "heading": (method.upper(), path),
            "fields": [*_parameters(about), *_body(about)],
            "curl": curl(address, path, about),
            "example": json.dumps(about["responses"]["200"]["content"][JSON]["example"], indent=2),
        }
        for path, methods in document()["paths"].items()
        for method, about in methods.items()
    ]
    problem = document()["components"]["responses"]["422"]["content"][PROBLEM]["example"]
    return await render_template(
        "docs.html",
        document=document(),
        operations=operations,
        problem=json.dumps(problem, indent=2),
    )


def curl(address: str, path: str, about: dict[str, Any]) -> str:
    """Return the command that sends an operation's example."""
    sent: dict[str, dict[str, str]] = {"path": {}, "query": {}, "header": {}}
    for parameter in about["parameters"]:
        if "example" in parameter:
            sent[parameter["in"]][parameter["name"]] = parameter["example"]
    query = "?" + urlencode(sent["query"], safe=":/") if sent["query"] else ""
    body = about.get("requestBody")
    if body:
        sent["header"]["Content-Type"] = JSON
    parts = [f"curl {quote(address + path.format(**sent['path']) + query)}"]
    parts += [f"-H {quote(f'{name}: {value}')}" for name, value in sent["header"].items()]
    if body:
        parts.append(f"-d {quote(json.dumps(body['content'][JSON]['example']))}")
    return " \\\n  ".join(parts)


Field = tuple[
    str, str, str, str
]  # its name, where it stands, what it must be, and if it is left out


def _parameters(about: dict[str, Any]) -> Iterator[Field]:
    for parameter in about["parameters"]:
        left_out = _left_out(parameter["schema"], required=parameter["required"])
        yield parameter["name"], parameter["in"], parameter["description"], left_out


def _body(about: dict[str, Any]) -> Iterator[Field]:
    if body := about.get("requestBody"):
        yield from _fields(body["content"][JSON]["schema"], "")


def _fields(reference: dict[str, str], above: str) -> Iterator[Field]:
    """Go through the fields of a schema of the document, and into lists of others."""
    schema = document()["components"]["schemas"][reference["$ref"].rpartition("/")[2]]
    for name, field in schema["properties"].items():
        left_out = _left_out(field, required=name in schema.get("required", []))
        yield above + name, "body", field["description"], left_out
        if "items" in field:
            yield from _fields(field["items"], f"{above}{name}.N.")


def _left_out(schema: dict[str, Any], *, required: bool) -> str:
    """Say what holds where a field is left out."""
    return "refused" if required else str(schema.get("default") or "")
