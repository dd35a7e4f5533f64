"""The page that counts."""

from quart import Blueprint, abort, render_template, request

from counter.models import count_hit, read_count
from db import transaction

counter_app = Blueprint("counter_app", __name__, template_folder="templates")

LOADING_AHEAD = ("Sec-Purpose", "Purpose", "X-Moz")  # the header, and its older names


@counter_app.get("/")
async def page() -> str:
    """Count a view and show which one it was; HEAD only looks."""
    if any("prefetch" in request.headers.get(name, "").lower() for name in LOADING_AHEAD):
        # Refused, a browser asks again when the person really comes, and that is counted.
        abort(503, "This page counts its views, so it is not given in advance.")
    async with transaction() as connection:
        if request.method == "HEAD":
            count = await read_count(connection) or 0
        else:
            count = await count_hit(connection)
    return await render_template("counter.html", count=count)
