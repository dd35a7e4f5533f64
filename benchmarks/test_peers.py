"""What is measured beside the app answers, too."""

from benchmarks.peers.counter_app import app


async def test_the_static_page_is_that_of_the_app() -> None:
    response = await app.test_client().get("/static-page")
    assert "<h1>Counter: 100000</h1>" in await response.get_data(as_text=True)
