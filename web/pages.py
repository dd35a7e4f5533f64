"""Caching and rendering for all pages."""

from quart import Quart, Response


def init_app(app: Quart) -> None:
    """Forbid caching of responses, and render pages without a needless thread."""
    app.after_request(never_store)

    @app.before_serving
    async def render_without_threads() -> None:
        # A blueprint starts with Flask's context processor, which is not async: Quart would run it
        # in a thread for every page. The app's own processor, Quart's, adds the same variables.
        for processors in app.template_context_processors.values():
            processors[:] = [p for p in processors if p.__module__ != "flask.templating"]


async def never_store(response: Response) -> Response:
    """Forbid caching, except of static files, which set their own header."""
    response.headers.setdefault("Cache-Control", "no-store")
    return response
