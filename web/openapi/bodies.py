"""Parse JSON bodies, as strictly as the document says, and at a bounded cost."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any, Never

from werkzeug.datastructures import Headers
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from web.errors import Invalid, printable

# The largest request has 1,000 hits. With the longest names, indented and with every character of
# its keys escaped, it is 0.4 MB. It has half of MOST_FIELDS and, even if its keys consist of
# nothing but commas or brackets, less than MOST_SIGNS.
LARGEST_BODY = 512 * 1024
# Parsing a body holds up all other requests, and LARGEST_BODY has room for 60,000 fields.
MOST_FIELDS = 10_000
MOST_SIGNS = 70_000  # commas, and as many opening brackets


def read_body(headers: Headers, body: bytes) -> Any:
    """Return a body's JSON, or `{}` for an empty body.

    Raises UnsupportedMediaType if it is not declared as JSON, BadRequest if it is not JSON or has
    more than any request needs, and Invalid if a field is given twice.
    """
    if not body:
        return {}
    _check_declared(headers)
    if max(body.count(b"["), body.count(b",")) > MOST_SIGNS:
        raise BadRequest("The body has more or longer lists than any request needs.")
    try:
        return json.loads(
            body.decode(), object_pairs_hook=_objects(), parse_constant=_refuse_constant
        )
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"The body is not JSON in UTF-8: {error}.") from None
    except RecursionError:
        raise BadRequest("The body is nested too deeply.") from None
    except ValueError:  # Python's limit: parsing takes quadratic time
        raise BadRequest("A number in the body has more than 4,300 digits.") from None


def _check_declared(headers: Headers) -> None:
    kinds = [value.split(";")[0].strip().lower() for value in headers.getlist("Content-Type")]
    if kinds != ["application/json"]:
        raise UnsupportedMediaType("A body must be JSON, with Content-Type: application/json.")
    encodings = headers.getlist("Content-Encoding")
    if any(value.strip().lower() != "identity" for value in encodings):
        raise UnsupportedMediaType("A body must be sent as it is, without a Content-Encoding.")


def _objects() -> Callable[[list[tuple[str, Any]]], dict[str, Any]]:
    """Return a function that builds the objects of one body from their fields."""
    left = MOST_FIELDS

    def make(fields: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal left
        left -= 1 + len(fields)  # an empty object takes time as well
        if left < 0:
            raise BadRequest(f"The body has more than {MOST_FIELDS:,} objects and fields.")
        made = dict(fields)
        if len(made) < len(fields):
            ((name, _),) = Counter(name for name, _ in fields).most_common(1)
            raise Invalid([(printable(name), "must be given once")])
        return made

    return make


def _refuse_constant(name: str) -> Never:
    raise BadRequest(f"The body is not JSON in UTF-8: it has no {name}.")
