"""Counter itself, plus a static page like its own."""

from quart import render_template

from application import create_app

app = create_app()
held: list[str] = []


@app.get("/static-page")
async def static_page() -> str:
    """Answer with a text that was rendered once, as long as the counting page."""
    if not held:
        held.append(await render_template("counter.html", count=100_000))
    return held[0]
