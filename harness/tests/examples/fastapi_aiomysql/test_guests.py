"""The guest book."""


def test_a_guest_is_greeted(client):
    assert client.post("/guests", json={"name": "Zoë ☃"}).status_code == 201
    assert "Zoë ☃" in client.get("/guests").json()


def test_a_name_is_needed(client):
    assert client.post("/guests", json={}).status_code == 422
