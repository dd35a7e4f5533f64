"""The API's documentation: matches what is served, and needs no other host."""

import html
import json
import re
import shlex
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator, oas31_format_checker
from openapi_spec_validator import validate as validate_document
from pydantic import Field
from quart import Quart, Response
from quart.typing import TestClientProtocol as Client

from application import create_app
from counter.testing import document, get_json, refusals
from throwaway_mysql import Database
from web.errors import PROBLEM
from web.openapi.docs import curl, example
from web.openapi.models import Model
from web.openapi.responses import JSON, json_response, returns
from web.openapi.validation import validate

IMPLIED = {"HEAD", "OPTIONS"}  # Quart adds them
OPERATIONS = [
    (path, method, operation)
    for path, methods in document()["paths"].items()
    for method, operation in methods.items()
]


def conform(instance: Any, schema: dict[str, Any]) -> None:
    """Check JSON against a schema of the document."""
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
    validate_document(shown)
    assert shown == {**document(), "servers": [{"url": "/"}]}


def test_the_document_has_every_route_and_no_other(create_test_app: Quart) -> None:
    served = {
        (re.sub(r"<(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in create_test_app.url_map.iter_rules()
        if rule.rule.startswith("/api/")
        for method in (rule.methods or set()) - IMPLIED
    }
    assert {(path, method) for path, method, _ in OPERATIONS} == served


def test_every_operation_and_parameter_and_error_is_described() -> None:
    for path, _, operation in OPERATIONS:
        assert operation["summary"]
        assert operation["description"]
        assert re.findall(r"{(\w+)}", path) == [
            each["name"] for each in operation["parameters"] if each["in"] == "path"
        ]
        assert all(each["description"] for each in operation["parameters"])
        assert operation["responses"]["200"]["description"]
        assert {"422", "503", "default"} < set(operation["responses"])
    (responses,) = ([*each["responses"]] for path, _, each in OPERATIONS if path == "/api/v1/hits")
    assert responses == ["200", "400", "409", "413", "415", "422", "503", "default"]


async def test_the_examples_are_valid(create_test_app: Quart) -> None:
    for _, _, operation in OPERATIONS:
        for parameter in operation["parameters"]:
            for value in parameter["schema"].get("examples", []):
                conform(value, parameter["schema"])
        for message in (operation.get("requestBody"), operation["responses"]["200"]):
            if message:
                async with create_test_app.app_context():
                    shown = example(message)
                conform(shown, message["content"][JSON]["schema"])


async def test_the_commands_run_and_the_answers_are_as_described(
    create_test_client: Client,
) -> None:
    # The hits first, as reads need a counter.
    for path, _, operation in sorted(OPERATIONS, key=lambda each: each[1], reverse=True):
        async with create_test_client.app.app_context():
            command = curl("http://localhost", path, operation)
        response = await send(create_test_client, command)
        assert response.status_code == HTTPStatus.OK
        answer = operation["responses"]["200"]
        assert [response.content_type] == list(answer["content"])
        conform(await response.get_json(), answer["content"][JSON]["schema"])


async def test_a_replay_has_the_header_that_is_described(create_test_client: Client) -> None:
    path = "/api/v1/counters/{namespace}/{key}/hits"
    operation = document()["paths"][path]["post"]
    async with create_test_client.app.app_context():
        command = curl("http://localhost", path, operation)
    for _ in range(2):
        response = await send(create_test_client, command)
    ((name, header),) = operation["responses"]["200"]["headers"].items()
    conform(response.headers[name], header["schema"])


@pytest.mark.parametrize(("path", "method"), [each[:2] for each in OPERATIONS])
async def test_errors_are_as_described(create_test_client: Client, path: str, method: str) -> None:
    path = path.format(namespace="no", key="such")
    wrong = await create_test_client.open(f"{path}?no", method=method, json={})
    other = await create_test_client.delete(path)
    assert wrong.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert other.status_code == HTTPStatus.METHOD_NOT_ALLOWED
    for response in (wrong, other):
        assert response.content_type == PROBLEM
        conform(await response.get_json(), {"$ref": "#/components/schemas/Problem"})


async def test_the_page_shows_every_operation_with_a_command(create_test_app: Quart) -> None:
    response = await create_test_app.test_client().get("/docs")
    assert response.content_type == "text/html; charset=utf-8"
    body = html.unescape(await response.get_data(as_text=True))
    for path, _, operation in OPERATIONS:
        assert operation["summary"] in body
        async with create_test_app.app_context():
            assert curl("http://localhost", path, operation) in body
            assert json.dumps(example(operation["responses"]["200"]), indent=2) in body


class Thing(Model):
    """A thing."""

    size: int = Field(description="a size", examples=[3])


class ThingHeaders(Model):
    """Who makes it."""

    maker: str = Field(alias="X-Maker", description="a person", examples=["Ada"])


async def test_an_endpoint_of_another_package_is_validated_and_described(
    create_db: Database,
) -> None:
    app = create_app(**create_db)

    @app.post("/api/v1/things")
    @validate(headers=ThingHeaders, body=Thing)
    @returns(Thing, errors={"413": "It is too large."})
    async def thing(headers: ThingHeaders, body: Thing) -> Response:
        """Make a thing."""
        return json_response(Thing(size=body.size + len(headers.maker)))

    client = app.test_client()
    shown = await get_json(client, "/openapi.json")
    validate_document(shown)
    operation = shown["paths"]["/api/v1/things"]["post"]
    assert operation["requestBody"]["required"]
    assert operation["responses"]["413"]["description"] == "It is too large."
    async with app.app_context():
        command = curl("http://localhost", "/api/v1/things", operation)
    assert await (await send(client, command)).get_json() == {"size": 6}
    assert "Make a thing" in await (await client.get("/docs")).get_data(as_text=True)
    # One answer names the errors in all parts.
    assert await refusals(client, "things?x=1", json={"size": "3"}) == {
        "x": "is no parameter here: there is none",
        "X-Maker": "is missing: it must be a person",
        "size": "must be a size",
    }


def links(body: str) -> Iterator[str]:
    """Return what a page loads or links to."""
    return (found[1] for found in re.finditer(r'\b(?:href|src|action)="(.*?)"', body))


async def test_the_page_needs_no_other_host_and_its_links_lead_somewhere(
    create_test_client: Client,
) -> None:
    body = await (await create_test_client.get("/docs")).get_data(as_text=True)
    assert set(re.findall(r"\w+://([^/\"]+)", body)) == {"localhost"}
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=", body)  # a strict CSP forbids them
    for link in links(body):
        if link.startswith("#"):
            assert f'id="{link[1:]}"' in body
        else:
            assert (await create_test_client.get(link)).status_code == HTTPStatus.OK
