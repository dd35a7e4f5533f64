"""Bodies: the reader accepts what the document does, and none costs far more than a valid one."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from quart.typing import TestClientProtocol as Client
from werkzeug.datastructures import Headers
from werkzeug.exceptions import BadRequest

from counter.api.schemas import HitBody, HitsBody
from counter.testing import JSON, document, refusals
from web.errors import Invalid
from web.openapi.bodies import LARGEST_BODY, read_body
from web.openapi.models import Model
from web.openapi.validation import check, request_model

ONCE = "must be given once"
SURROGATE = "has half of a surrogate pair, which is no character"

Read = Callable[[bytes], HitBody]


def load(model: type[Model], body: bytes) -> Any:
    """Read a body and validate it."""
    return check(
        request_model(body=model), {"query": {}, "body": read_body(Headers(JSON), body)}
    ).body


def read_one(body: bytes) -> HitBody:
    """Read the body of a single hit."""
    hit: HitBody = load(HitBody, body)
    return hit


def read_many(body: bytes) -> HitBody:
    """Read the body of many hits; return the last."""
    hit: HitBody = load(HitsBody, body).hits[-1]
    return hit


def as_one(fields: str) -> bytes:
    """Return a single hit's body with these fields."""
    return f"{{{fields}}}".encode(errors="surrogatepass")


def as_many(fields: str) -> bytes:
    """Return the body of two hits, the second with these fields."""
    named = '"namespace": "a", "key": "b"'
    return f'{{"hits": [{{{named}}}, {{{named}, {fields}}}]}}'.encode(errors="surrogatepass")


both = pytest.mark.parametrize(
    ("read", "body"), [(read_one, as_one), (read_many, as_many)], ids=["one", "many"]
)


def document_takes(path: str, body: bytes) -> bool:
    """Tell whether a body is valid according to the document."""
    content = document()["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    about = {**content["schema"], "components": document()["components"]}
    valid: bool = OAS31Validator(about).is_valid(json.loads(body))
    return valid


@both
@pytest.mark.parametrize(
    ("by", "counted"),
    [
        ("7", 7),
        ("2.0", 2),
        ("1e3", 1000),
        ("1E+3", 1000),
        ("30e-1", 3),
        ("1000000.0", 1_000_000),
        ("0", None),
        ("-0", None),
        ("-0.0", None),
        ("-1", None),
        ("1.5", None),
        ("1000001", None),
        ("1e6000", None),
        ("-1e6000", None),
        ("1e-6000", None),
        ("9" * 4300, None),
        ("true", None),
        ("null", None),
        ('"1"', None),
        ("[1]", None),
        ('{"by": 1}', None),
        ('1, "BY": 1', None),
        ('1, "by ": 1', None),
        ('1, "": 1', None),
        ('1, "b\\u00fd": 1', None),
    ],
)
def test_the_reader_and_the_document_are_of_one_opinion(
    read: Read, body: Callable[[str], bytes], by: str, counted: int | None
) -> None:
    sent = body(f'"by": {by}')
    if counted:
        assert read(sent).by == counted
        assert type(read(sent).by) is int
    else:
        with pytest.raises(Invalid):
            read(sent)
    one = "/api/v1/counters/{namespace}/{key}/hits"
    path = one if read is read_one else "/api/v1/hits"
    assert document_takes(path, sent) == (counted is not None)


@both
@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ('"by": 1, "by": 7', "by"),
        ('"by": 1, "by": 1', "by"),
        ('"by": 1, "b\\u0079": 7', "by"),
        ('"x": [{"y": {"z": 1, "z": 2}}]', "z"),
        ('"": 1, "": 2', ""),
        ('"\\ud800": 1, "\\uD800": 2', "\\ud800"),
        ('"by": 1, "\\u0000": 1, "\\u0000": 1', "\0"),
    ],
)
def test_a_field_that_is_given_twice_is_refused(
    read: Read, body: Callable[[str], bytes], fields: str, name: str
) -> None:
    with pytest.raises(Invalid) as refused:
        read(body(fields))
    assert refused.value.errors == [(name, ONCE)]


@pytest.mark.parametrize(
    ("read", "body", "errors"),
    [
        (read_one, '{"by": "\\ud800"}', {"by": "must be a whole number from 1 to 1,000,000"}),
        (read_one, '{"by": 1, "\\ud800": 1}', {"body": SURROGATE}),
        (read_many, '{"hits": [{"key": "\\udc00", "namespace": "a"}]}', {"hits.0.key": SURROGATE}),
        (
            read_many,
            '{"hits": [{"key": "k", "namespace": "a", "idempotency_key": "\\ud800\\ud800"}]}',
            {"hits.0.idempotency_key": SURROGATE},
        ),
        (read_many, '{"hits": [], "hits": []}', {"hits": ONCE}),
    ],
)
def test_what_is_no_text_is_told_in_words(read: Read, body: str, errors: dict[str, str]) -> None:
    with pytest.raises(Invalid) as refused:
        read(body.encode())
    assert dict(refused.value.errors) == errors


@both
@pytest.mark.parametrize(
    "by",
    [
        *("NaN", "Infinity", "-Infinity", "01", "+1", ".5", "1.", "0x1", "1_0", "\uff11", "1 /**/"),
        *("", "1,", "1 1", "1}{", "'1'", '"\t"', '"\\x41"', '"\ud800"', "9" * 4301, "[" * 60_000),
    ],
    ids=lambda by: ascii(by[:9]),
)
def test_what_is_not_json_is_told_so(read: Read, body: Callable[[str], bytes], by: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read(body(f'"by": {by}'))
    assert "body" in str(refused.value.description)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp500"])
def test_json_is_utf8(encoding: str) -> None:
    with pytest.raises(BadRequest):
        read_one('{"by": 1}'.encode(encoding))


def filled(unit: Callable[[int], str], before: str, after: str) -> bytes:
    """Return the largest body made of such units."""
    room = LARGEST_BODY - len(before) - len(after)
    number = room // len(f"{unit(room)},")
    return f"{before}{','.join(map(unit, range(number)))}{after}".encode()


@pytest.mark.parametrize(
    ("unit", "before", "after"),
    [
        pytest.param(lambda n: f'"{n:x}":1', "{", "}", id="fields"),
        pytest.param(lambda n: f'{{"{n:x}":1}}', '{"hits":[', "]}", id="hits of a field"),
        pytest.param(lambda n: f'{{"{n}":1,"b":1,"c":1}}', '{"hits":[', "]}", id="hits of three"),
        pytest.param(lambda _: '"by":1', "{", "}", id="a field often"),
        pytest.param(lambda _: "{}", '{"hits":[', "]}", id="empty hits"),
        pytest.param(lambda _: '{"a":' * 80 + "1" + "}" * 80, "[", "]", id="nested objects"),
        pytest.param(lambda _: "[" * 80 + "]" * 80, '{"by":[', "]}", id="nested lists"),
        pytest.param(lambda _: "[]", '{"by":[', "]}", id="empty lists"),
        pytest.param(lambda _: "1", '{"by":[', "]}", id="integers"),
        pytest.param(lambda _: "1e308", '{"by":[', "]}", id="fractions"),
    ],
)
def test_a_body_with_far_more_than_any_request_needs_is_not_checked_field_by_field(
    unit: Callable[[int], str], before: str, after: str
) -> None:
    body = filled(unit, before, after)
    json.loads(body)
    with pytest.raises(BadRequest, match="more"):
        read_body(Headers(JSON), body)


@pytest.mark.parametrize("sign", ["[", ",", "{", ":"])
def test_the_most_hits_are_read_whatever_their_keys_consist_of(sign: str) -> None:
    hit = {"namespace": "n", "by": 1, "idempotency_key": sign * 64}
    hits = [{**hit, "key": f"{n}"} for n in range(1000)]
    assert len(load(HitsBody, json.dumps({"hits": hits}).encode()).hits) == 1000


async def test_more_parameters_than_anybody_means_are_not_read(create_test_client: Client) -> None:
    query = "&".join(f"{n}" for n in range(101))
    problems = await refusals(create_test_client, f"counters/a/b/hits?{query}")
    assert problems == {"query": "must have at most 100 parameters"}
