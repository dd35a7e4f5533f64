"""The guest book."""


def test_a_guest_is_there_from_the_beginning(create_test_client):
    assert "Zoë ☃" in create_test_client.get("/guests").json


def test_a_guest_is_greeted(create_test_client):
    assert create_test_client.post("/guests", json={"name": "Ada"}).status_code == 201
    assert "Ada" in create_test_client.get("/guests").json
