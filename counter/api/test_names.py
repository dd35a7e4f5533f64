"""Names: those that a URL would change are refused wherever a name is sent."""

import re
from http import HTTPStatus

import pytest
from quart.typing import TestClientProtocol as Client
from sqlalchemy import Connection

from counter.hits import Hit
from counter.models import ALL_HOURS, counter_table
from counter.testing import document, get_json, hit, refusals

RULE = "must be 1 to 64 of A-Z a-z 0-9 _ . -, not . or .. alone"
TAKEN = ["...", ".a", "..a", ".-", "a.", "a..", "-", "_", "Z", "z" * 64, "." * 64, f"..{'a' * 62}"]
# Names that URLs change or treat specially, and texts that only look like names.
REFUSED = [".", "..", "a;b", "a,b", "a b", "a+b", "a%2E", "a\\b", "a\n", "\0", "\u00e9", "\u0661"]
REFUSED += ["x" * 65, f".{'x' * 64}", f"..{'x' * 63}", "." * 65]


def quoted(name: str) -> str:
    """Percent-encode a name, dots included, as a URL may."""
    return "".join(f"%{byte:02x}" for byte in name.encode())


@pytest.mark.parametrize("part", TAKEN, ids=repr)
async def test_a_name_is_taken_everywhere(create_test_client: Client, part: str) -> None:
    for namespace, key in ((part, "one"), ("one", part)):
        await hit(create_test_client, f"{namespace}/{key}")
        body = {"hits": [{"namespace": namespace, "key": key}]}
        response = await create_test_client.post("/api/v1/hits", json=body)
        assert response.status_code == HTTPStatus.OK
        path = f"/api/v1/counters/{quoted(namespace)}/{quoted(key)}"
        assert (await create_test_client.post(f"{path}/hits")).status_code == HTTPStatus.OK
        assert (await get_json(create_test_client, path))["count"] == 3
        listed = await get_json(create_test_client, "/api/v1/counters", namespace=namespace)
        assert key in [counter["key"] for counter in listed["counters"]]


@pytest.mark.parametrize("part", REFUSED, ids=repr)
async def test_what_is_no_name_is_refused_everywhere(create_test_client: Client, part: str) -> None:
    for field, namespace, key in (("namespace", part, "one"), ("key", "one", part)):
        paths = [f"{quoted(namespace)}/{quoted(key)}"]
        if part in (".", ".."):  # as `curl --path-as-is` sends it
            paths.append(f"{namespace}/{key}")
        for path in paths:
            problems = await refusals(create_test_client, f"counters/{path}/hits")
            assert problems == {field: RULE}
            for looked_at in (path, f"{path}/hours"):
                response = await create_test_client.get(f"/api/v1/counters/{looked_at}")
                assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
        hits = {"hits": [{"namespace": namespace, "key": key}]}
        problems = await refusals(create_test_client, "hits", json=hits)
        assert problems == {f"hits.0.{field}": RULE}
        with pytest.raises(ValueError, match="not a hit"):
            Hit(f"{namespace}/{key}")
    response = await create_test_client.get("/api/v1/counters", query_string={"namespace": part})
    assert (await response.get_json())["errors"] == [{"field": "namespace", "problem": RULE}]


def test_the_documents_pattern_is_the_same_rule() -> None:
    fields = document()["components"]["schemas"]["HitOfMany"]["properties"]
    parameters = document()["paths"]["/api/v1/counters/{namespace}/{key}/hits"]["post"]
    patterns = {parameter["schema"]["pattern"] for parameter in parameters["parameters"][:2]}
    patterns |= {fields[name]["pattern"] for name in ("namespace", "key")}
    (pattern,) = patterns
    assert "(?!" not in pattern  # a lookahead, which Go and Rust lack
    assert all(re.search(pattern, name) for name in TAKEN)
    # Python's `$` allows a line break after it, JSON Schema's does not.
    assert not any(re.search(pattern, name) for name in REFUSED if name[-1] != "\n")


@pytest.mark.parametrize("path", ["a%2Fb/hits", "a%2fb", "a/b%2Fhours", "a%2Fb/hours"])
async def test_a_slash_in_a_name_is_not_taken_for_one_between_names(
    create_test_client: Client, path: str
) -> None:
    await hit(create_test_client, "a/b")
    url = f"/api/v1/counters/{path}"
    send = create_test_client.post if path.endswith("hits") else create_test_client.get
    raw = {"raw_path": url.encode()}  # servers pass it on, but the test client decodes it
    response = await send(url, scope_base=raw)
    assert response.status_code == HTTPStatus.NOT_FOUND
    assert (await get_json(create_test_client, "/api/v1/counters/a/b"))["key"] == "b"


async def test_counters_of_names_that_are_refused_now_are_listed_and_can_be_renamed(
    create_test_client: Client, name: str, other_connection: Connection
) -> None:
    stored = {"hour": ALL_HOURS, "count": 7, "created": ALL_HOURS, "updated": ALL_HOURS}
    key = name.partition("/")[2]
    old = [f"./{key}", f"../{key}", f"{key}/.", f"{key}/.."]
    other_connection.execute(counter_table.insert(), [{"name": each, **stored} for each in old])
    listed, link = [], "/api/v1/counters?limit=1"
    while link:
        page = await get_json(create_test_client, link)
        listed += [f"{counter['namespace']}/{counter['key']}" for counter in page["counters"]]
        link = page["next"]
    assert set(old) <= set(listed)
    for number, each in enumerate(old):
        new = f"{name}.{number}"
        other_connection.exec_driver_sql(f"UPDATE counter SET name = '{new}' WHERE name = '{each}'")
        assert (await get_json(create_test_client, f"/api/v1/counters/{new}"))["count"] == 7
