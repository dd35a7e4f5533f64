"""JSON bodies, read as strictly as the document describes them, and at a bounded cost."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any, Never

from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from counter.api.checks import Pairs, shown, values
from counter.hits import MAX_HITS
from web.errors import Invalid

# What is read holds up everybody's requests: a body has room for 60,000 fields or 260,000 lists.
# 1,000 hits have half as many objects and fields, and fewer of these signs even where their keys
# consist of nothing else.
MOST_FIELDS = 10 * MAX_HITS
MOST_SIGNS = 70 * MAX_HITS  # of each


def read(headers: Pairs, body: bytes) -> Any:
    """Return what a body says, where an empty one says `{}`.

    Raises UnsupportedMediaType where it is not declared as JSON, BadRequest where it is none or
    has more than any request needs, and Invalid where a field is given twice.
    """
    if not body:
        return {}
    _check_declared(headers)
    if max(body.count(b"["), body.count(b",")) > MOST_SIGNS:
        raise BadRequest("The body has more lists, or more in them, than any request needs.")
    try:
        return json.loads(
            body.decode(), object_pairs_hook=_objects(), parse_constant=_refuse_constant
        )
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"The body is not JSON in UTF-8: {error}.") from None
    except RecursionError:
        raise BadRequest("The body is nested too deeply.") from None
    except ValueError:  # Python reads no more: it would take the square of their number
        raise BadRequest("A number in the body has more than 4,300 digits.") from None


def _check_declared(headers: Pairs) -> None:
    kinds = [value.split(b";")[0].strip().lower() for value in values(headers, b"content-type")]
    if kinds != [b"application/json"]:
        raise UnsupportedMediaType("A body must be JSON, with Content-Type: application/json.")
    if any(value.lower() != b"identity" for value in values(headers, b"content-encoding")):
        raise UnsupportedMediaType("A body must be sent as it is, without a Content-Encoding.")


def _objects() -> Callable[[list[tuple[str, Any]]], dict[str, Any]]:
    """Return what makes the objects of one body out of their fields."""
    left = MOST_FIELDS

    def make(fields: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal left
        left -= 1 + len(fields)  # one without any takes time as well
        if left < 0:
            raise BadRequest(
                f"The body has more than {MOST_FIELDS:,} objects and fields,"
                f" which is twice as many as {MAX_HITS:,} hits have."
            )
        made = dict(fields)
        if len(made) < len(fields):
            ((name, _),) = Counter(name for name, _ in fields).most_common(1)
            raise Invalid([(shown(name), "must be given once")])
        return made

    return make


def _refuse_constant(name: str) -> Never:
    raise BadRequest(f"The body is not JSON in UTF-8: it has no {name}.")
