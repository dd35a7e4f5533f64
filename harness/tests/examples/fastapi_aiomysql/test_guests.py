"""The guest book."""


async def test_a_guest_is_greeted(create_test_client):
    response = await create_test_client.post("/guests", json={"name": "Zoë ☃"})
    assert response.status_code == 201
    assert "Zoë ☃" in (await create_test_client.get("/guests")).json()


async def test_a_name_is_needed(create_test_client):
    assert (await create_test_client.post("/guests", json={})).status_code == 422
