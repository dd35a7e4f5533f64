"""The page that counts."""

from quart import Blueprint, Response, abort, render_template, request

from counter.models import count_hit, read_count
from db import transaction

counter_app = Blueprint(
    "counter_app", __name__, template_folder="templates", static_folder="static"
)
# A blueprint begins with Flask's context processor, which is not async: every page would wait
# for a thread. The app's own, which is Quart's, adds the same.
counter_app.template_context_processors.clear()

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


@counter_app.after_app_request
async def never_store(response: Response) -> Response:
    """Keep caches from answering for the app; only files may be kept, and say so themselves."""
    response.headers.setdefault("Cache-Control", "no-store")
    return response
