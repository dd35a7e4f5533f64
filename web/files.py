"""Static files, of which the last bytes may be asked for, and any name."""

import errno
from typing import Any

from quart import Quart, Response
from quart.wrappers.response import DataBody, FileBody, IOBody
from werkzeug.exceptions import NotFound


class Suffixes:
    """A body that knows what its last bytes are (`Range: bytes=-5`), as Quart's do not."""

    end: int  # of all of it, before a range is set

    async def make_conditional(self, begin: int, end: int | None) -> int:
        """Set the range; return the size of all."""
        begin = max(self.end + begin, 0) if begin < 0 else begin
        size: int = await super().make_conditional(begin, end)  # type: ignore[misc]
        return size


class Data(Suffixes, DataBody):
    """Bytes."""


class File(Suffixes, FileBody):
    """A file by its path."""


class Stream(Suffixes, IOBody):
    """An open file."""


class Ranged(Response):
    """A response of which the last bytes may be asked for."""

    data_body_class = Data
    file_body_class = File
    io_body_class = Stream


def init_app(app: Quart) -> None:
    """Serve the files of `app`; a name that is too long for a file is no file's."""
    app.response_class = Ranged
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
