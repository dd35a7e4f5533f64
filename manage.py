"""The application that `quart run`, hypercorn and uvicorn serve: `manage:app`."""

from application import create_app

app = create_app()
