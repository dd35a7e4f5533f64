"""Caching and rendering, which all pages share."""

from quart import Quart, Response


def init_app(app: Quart) -> None:
    """Keep caches from answering for `app`, and its pages from a thread that they do not need."""
    app.after_request(never_store)

    @app.before_serving
    async def render_without_threads() -> None:
        # A blueprint begins with Flask's context processor, which is not async: Quart would
        # run it in a thread for every page. The app's own, which is Quart's, adds the same.
        for processors in app.template_context_processors.values():
            processors[:] = [p for p in processors if p.__module__ != "flask.templating"]


async def never_store(response: Response) -> Response:
    """Let only files be kept, which say so themselves."""
    response.headers.setdefault("Cache-Control", "no-store")
    return response
