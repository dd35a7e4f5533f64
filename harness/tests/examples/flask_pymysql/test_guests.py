"""The guest book."""


def test_a_guest_is_there_from_the_beginning(client):
    assert "Zoë ☃" in client.get("/guests").json


def test_a_guest_is_greeted(client):
    assert client.post("/guests", json={"name": "Ada"}).status_code == 201
    assert "Ada" in client.get("/guests").json
