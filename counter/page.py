"""The page that counts."""

from quart import Blueprint, Quart, abort, current_app, render_template, request

from counter import batching
from counter.fast_path import FastHit, Reply
from counter.hits import Counted, Hit
from counter.models import read_counter
from db import transaction
from web.incoming import Scope

counter_app = Blueprint("counter_app", __name__, template_folder="templates")

PLACEHOLDER = "\N{WHITE SQUARE}"  # where the number goes
HOME = Hit("default/home")  # a view of the page
LOADING_AHEAD = {b"sec-purpose", b"purpose", b"x-moz"}  # the header, and its older names
PERSONAL = LOADING_AHEAD | {b"cookie"}


@counter_app.get("/")
async def home() -> str:
    """Count a view and show its number; HEAD only reads the count."""
    headers = request.scope["headers"]
    if any(name in LOADING_AHEAD and b"prefetch" in value.lower() for name, value in headers):
        # A refused browser asks again when the user visits, and that view is counted.
        abort(503, "This page counts its views, so it cannot be prefetched. It was not counted.")
    page = await _template()  # before counting: if this fails, nothing is counted
    if request.method == "HEAD":
        async with transaction() as connection:
            counter = await read_counter(connection, HOME.name)
        count = counter.count if counter else 0
    else:
        within = current_app.config["DB_TIMEOUT"]
        (counted,) = await batching.current().count((HOME,), within)
        count = counted.count
    return page.replace(PLACEHOLDER, str(count))


def fast_view(app: Quart, scope: Scope) -> FastHit | None:
    """Match a view without a cookie of a page that is rendered already."""
    if scope["path"] != "/" or scope["method"] != "GET" or scope["query_string"]:
        return None
    html = app.extensions.get("counter_page", {}).get("")  # at the root
    if not html or app.debug or any(name in PERSONAL for name, _ in scope["headers"]):
        return None

    def reply(_: Hit, counted: Counted) -> Reply:
        body = html.replace(PLACEHOLDER, str(counted.count)).encode()
        return body, [
            (b"content-type", b"text/html; charset=utf-8"),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
        ]

    return FastHit(HOME, app.config["DB_TIMEOUT"], reply)


async def _template() -> str:
    """Render the page once: rendering takes longer than counting, and only the number changes.

    Its links begin with the root path, set by the server or by a proxy in front of it.
    """
    rendered: dict[str, str] = current_app.extensions.setdefault("counter_page", {})
    at = request.root_path
    if at not in rendered or current_app.debug:
        rendered[at] = await render_template("counter.html", count=PLACEHOLDER)
    return rendered[at]
