"""Tests that share a database, and each find the guest book in its initial state."""

import pytest

from app import greet, names


@pytest.mark.parametrize("name", ["Ada", "Grace"])
def test_a_guest_is_the_second(session, name):
    greet(session, name)
    assert names(session) == ["Zoë ☃", name]
