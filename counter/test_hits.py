"""Every Hit is valid: its parts go into SQL without another check."""

import copy
import pickle
from dataclasses import FrozenInstanceError, replace
from decimal import Decimal
from typing import Any

import pytest

from counter.hits import KEY, MAX_BY, NAME, Hit


class Text(str):
    """A text that formats itself as another one."""

    __slots__ = ()

    def __format__(self, _: str) -> str:
        return "'; DROP TABLE counter; --"


class Number(int):
    """A number that formats itself as another one."""

    def __format__(self, _: str) -> str:
        return "1); DROP TABLE counter; --"


BAD: dict[str, list[Any]] = {
    "name": [
        *(
            "",
            "a",
            "a/",
            "/b",
            "a/b/c",
            "a/b'",
            "a/b\\",
            "a/b\n",
            "\na/b",
            "a/b ",
            "a/é",
            "\uff41/b",
        ),
        *("./b", "a/..", f"{'a' * 65}/b", f"a/{'b' * 65}", "a/b\0", "a/b;c", "a/b-- ", "a/%s"),
        *(b"a/b", None, 1, ["a/b"], Text("a/b")),
    ],
    "by": [0, -1, MAX_BY + 1, 1.0, True, Decimal(1), "1", b"1", None, float("nan"), Number(1)],
    "key": ["", " ", "a b", "é", "a\n", "a\0", "k" * 65, b"key", 1, True, ("k",), Text("key")],
}
VALID: dict[str, Any] = {"name": "a/b", "by": 5, "key": "'\\"}


@pytest.mark.parametrize(
    ("field", "value"),
    [(field, value) for field, values in BAD.items() for value in values],
    ids=repr,
)
def test_no_invalid_hit_can_be_made(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match="not a hit"):
        Hit(**{**VALID, field: value})
    hit = Hit(**VALID)
    with pytest.raises(ValueError, match="not a hit"):
        replace(hit, **{field: value})
    with pytest.raises(FrozenInstanceError):
        setattr(hit, field, value)
    with pytest.raises(FrozenInstanceError):
        delattr(hit, field)
    assert not hasattr(hit, "__dict__")
    for same in (hit, copy.copy(hit), copy.deepcopy(hit), pickle.loads(pickle.dumps(hit))):  # noqa: S301
        assert same == Hit(**VALID)


@pytest.mark.parametrize("sign", [*map(chr, range(0x180))], ids=ascii)
def test_no_sign_that_means_something_in_sql_is_in_a_name(sign: str) -> None:
    plain = sign.isascii() and (sign.isalnum() or sign in "_.-")
    assert bool(NAME.fullmatch(f"a/x{sign}")) == bool(NAME.fullmatch(f"x{sign}/a")) == plain
    assert bool(KEY.fullmatch(sign)) == ("!" <= sign <= "~")
