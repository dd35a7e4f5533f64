"""Tests that share a database, each of which finds the guest book as it was in the beginning."""

import pytest


@pytest.mark.parametrize("name", ["Ada", "Grace"])
def test_a_guest_is_the_second(client, name):
    assert client.post("/guests", json={"name": name}).status_code == 201
    assert client.get("/guests").json == ["Zoë ☃", name]
