"""The parts of a request, read without Quart, and refused in words where they are not valid."""

from collections.abc import Iterable
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from counter.api.schemas import HitOfMany, Model, rules_of
from web.errors import MAX_ERRORS, Invalid

Pairs = Iterable[tuple[bytes, bytes]]  # headers as ASGI gives them: names in lower case
Request = TypeVar("Request", bound=Model)

IDEMPOTENCY_KEY = "Idempotency-Key"
FOR_ONE_HIT = "is for a single hit: give each of these its idempotency_key instead"
MOST_PARAMETERS = 100  # that are looked at
LONGEST_NAME = 100  # of a field that is told back to who sent it


def check(schema: type[Request], **parts: Any) -> Request:
    """Return the parts of a request as the schema has them; raise Invalid where they are not."""
    try:
        return schema.model_validate(parts)
    except ValidationError as error:
        # The words for all that a large body may have wrong would take everybody's time.
        first = error.errors(include_url=False, include_context=False)[:MAX_ERRORS]
        words = [_in_words(schema, each) for each in first]
        raise Invalid(words, error.error_count()) from None


def query(raw: bytes) -> dict[str, Any]:
    """Return the parameters of a URL; one that is repeated is a list.

    Raises Invalid where there are more than anybody means.
    """
    try:
        found = parse_qsl(
            raw.decode("latin-1"), keep_blank_values=True, max_num_fields=MOST_PARAMETERS
        )
    except ValueError:
        raise Invalid([("query", f"must have at most {MOST_PARAMETERS} parameters")]) from None
    return _by_name(found)


def key_header(headers: Pairs) -> dict[str, Any]:
    """Return the Idempotency-Key where there is one; if it is repeated, a list."""
    found = values(headers, IDEMPOTENCY_KEY.lower().encode())
    return _by_name((IDEMPOTENCY_KEY, value.decode("latin-1")) for value in found)


def values(headers: Pairs, name: bytes) -> list[bytes]:
    """Return the values of a header."""
    # Spaces around a value are not part of it (RFC 9110), but httptools leaves those behind it.
    return [value.strip(b" \t") for each, value in headers if each == name]


def shown(name: str) -> str:
    """Return the name of a field as it is told back: shortened, and of what UTF-8 can say."""
    return name[:LONGEST_NAME].encode(errors="backslashreplace").decode()


def _by_name(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return {name: found if found[1:] else found[0] for name, found in values.items()}


def _in_words(schema: type[Model], error: ErrorDetails) -> tuple[str, str]:
    """Return the field that is wrong, and in plain words what it may be."""
    part, *path = map(str, error["loc"])
    # Nothing but the fields of many hits lies so deep.
    model = HitOfMany if len(path) == 3 else schema.model_fields[part].annotation
    rules = rules_of(model)
    field = shown(".".join(path or [part]))
    if error["type"] == "extra_forbidden":
        return field, FOR_ONE_HIT if part == "header" else _unknown(part, rules)
    if part in ("query", "header") and isinstance(error["input"], list):
        return field, "must be given once"
    if error["type"] == "string_unicode":
        return field, "has half of a surrogate pair, which is no character"
    rule = rules.get(path[-1]) if path else None
    missing = "is missing: it " if error["type"] == "missing" else ""
    return field, f"{missing}must be {rule or 'an object'}"


def _unknown(part: str, rules: Iterable[str]) -> str:
    kind = "parameter" if part == "query" else "field"
    return f"is no {kind} here: there is {', '.join(rules) or 'none'}"
