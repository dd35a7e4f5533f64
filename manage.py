"""The application, as `quart run`, hypercorn and uvicorn serve it: `manage:app`."""

from application import create_app

app = create_app()
