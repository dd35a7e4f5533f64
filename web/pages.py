"""What all pages share, beside the base template and its files: how they are kept and made."""

from quart import Quart, Response
from quart.sessions import SecureCookieSession, SecureCookieSessionInterface
from quart.wrappers import BaseRequestWebsocket


def init_app(app: Quart) -> None:
    """Keep caches from answering for `app`, and its pages from costs that they do not need."""
    app.after_request(never_store)
    app.session_interface = CheapSessions()

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


class CheapSessions(SecureCookieSessionInterface):
    """Quart's sessions, but a request that brings no cookie does not pay for the signature."""

    async def open_session(
        self, app: Quart, request: BaseRequestWebsocket
    ) -> SecureCookieSession | None:
        """Return the caller's session, or a new one."""
        if self.get_cookie_name(app) not in request.cookies:
            return self.session_class()
        return await super().open_session(app, request)
