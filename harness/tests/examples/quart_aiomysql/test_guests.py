"""The guest book."""


async def test_a_guest_is_greeted(client):
    assert (await client.post("/guests", json={"name": "Zoë ☃"})).status_code == 201
    assert "Zoë ☃" in await (await client.get("/guests")).json
