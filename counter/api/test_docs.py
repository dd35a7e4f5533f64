"""The API's description: true to what is served, and complete without the internet."""

import html
import json
import re
import shlex
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator, oas31_format_checker
from openapi_spec_validator import validate
from quart import Quart
from quart.typing import TestClientProtocol as Client

from counter.api import checks
from counter.api.docs import curl
from counter.api.openapi import JSON, PROBLEM, document
from counter.api.paths import OPERATIONS, Operation
from counter.testing import get_json

IMPLIED = {"HEAD", "OPTIONS"}  # Quart adds them to what is there
each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)


def described(operation: Operation) -> dict[str, Any]:
    """Return what the document says of an operation."""
    about: dict[str, Any] = document()["paths"][operation.path][operation.method]
    return about


def conform(instance: Any, schema: dict[str, Any]) -> None:
    """Check that JSON is as a schema of the document says."""
    schema = {**schema, "components": document()["components"]}
    OAS31Validator(schema, format_checker=oas31_format_checker).validate(instance)


async def send(client: Client, command: str) -> Any:
    """Send what a curl command would, and return the response."""
    _, url, *options = shlex.split(command.replace("\\\n", ""))
    pairs = list(zip(options[::2], options[1::2], strict=True))
    headers = dict(value.split(": ", 1) for option, value in pairs if option == "-H")
    body = dict(pairs).get("-d")
    target = url.removeprefix("http://localhost")
    if body is None:
        return await client.get(target, headers=headers)
    return await client.post(target, headers=headers, data=body.encode())


async def test_the_document_is_openapi(create_test_client: Client) -> None:
    shown = await get_json(create_test_client, "/openapi.json")
    validate(shown)
    assert shown == {**document(), "servers": [{"url": "/"}]}


def test_the_document_has_every_route_and_no_other(create_test_app: Quart) -> None:
    served = {
        (re.sub(r"<(\w+)>", r"{\1}", rule.rule), method)
        for rule in create_test_app.url_map.iter_rules()
        if rule.rule.startswith("/api/")
        for method in (rule.methods or set()) - IMPLIED
    }
    documented = {(operation.path, operation.method.upper()) for operation in OPERATIONS}
    assert documented == served


@each_operation
def test_the_examples_are_valid(operation: Operation) -> None:
    parts = {
        part_name: dict(operation.sent.get(part_name, {}))
        for part_name in operation.request.model_fields
    }
    parts["query"] = {name: str(value) for name, value in parts["query"].items()}
    checks.check(operation.request, **parts)
    conform(operation.answered, described(operation)["responses"]["200"]["content"][JSON]["schema"])


async def test_the_commands_run_and_the_answers_are_as_described(
    create_test_client: Client,
) -> None:
    for operation in OPERATIONS:
        about = described(operation)
        response = await send(create_test_client, curl("http://localhost", operation.path, about))
        assert response.status_code == HTTPStatus.OK
        answer = about["responses"]["200"]
        assert [response.content_type] == list(answer["content"])
        conform(await response.get_json(), answer["content"][JSON]["schema"])


@each_operation
async def test_errors_are_as_described(create_test_client: Client, operation: Operation) -> None:
    path = operation.path.format(namespace="no", key="such")
    wrong = await create_test_client.open(f"{path}?no", method=operation.method, json={})
    other = await create_test_client.delete(path)
    assert wrong.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert other.status_code == HTTPStatus.METHOD_NOT_ALLOWED
    for response in (wrong, other):
        assert response.content_type == PROBLEM
        conform(await response.get_json(), {"$ref": "#/components/schemas/Problem"})


async def test_the_page_shows_every_operation_with_a_command(create_test_client: Client) -> None:
    response = await create_test_client.get("/docs")
    assert response.content_type == "text/html; charset=utf-8"
    body = html.unescape(await response.get_data(as_text=True))
    for operation in OPERATIONS:
        assert operation.summary in body
        assert curl("http://localhost", operation.path, described(operation)) in body
        assert json.dumps(operation.answered, indent=2) in body


def links(body: str) -> Iterator[str]:
    """Return what a page loads or leads to."""
    return (found[1] for found in re.finditer(r'\b(?:href|src|action)="(.*?)"', body))


async def test_the_page_needs_no_other_host_and_its_links_lead_somewhere(
    create_test_client: Client,
) -> None:
    body = await (await create_test_client.get("/docs")).get_data(as_text=True)
    assert set(re.findall(r"\w+://([^/\"]+)", body)) == {"localhost"}
    for link in links(body):
        if link.startswith("#"):
            assert f'id="{link[1:]}"' in body
        else:
            assert (await create_test_client.get(link)).status_code == HTTPStatus.OK
