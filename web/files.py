"""Static files: a file name that is too long is not found."""

import errno
from typing import Any

from quart import Quart, Response
from werkzeug.exceptions import NotFound


def init_app(app: Quart) -> None:
    """Serve the static files of `app`."""
    files: Any = app.view_functions["static"]

    async def static(filename: str) -> Response:
        try:
            response: Response = await files(filename=filename)
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                raise NotFound from None
            raise
        return response

    app.view_functions["static"] = static
