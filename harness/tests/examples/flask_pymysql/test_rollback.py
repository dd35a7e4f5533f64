"""Tests that share a database, each of which finds the guest book as it was in the beginning."""

import pytest

from app import greet, names


@pytest.mark.parametrize("name", ["Ada", "Grace"])
def test_a_guest_is_the_second(session, name):
    greet(session, name)
    assert names(session) == ["Zoë ☃", name]
