"""JSON APIs below `/api/`: endpoints whose models validate and document their requests."""

from quart import Quart
from quart_schema import Info, QuartSchema

from web.openapi.docs import docs
from web.openapi.document import Document
from web.openapi.requests import ApiRequest, refuse_encoded_slashes


def init_app(app: Quart, info: Info) -> None:
    """Limit requests to the APIs of `app`, and serve the document of all their endpoints."""
    app.request_class = ApiRequest
    app.before_request(refuse_encoded_slashes)
    QuartSchema(
        app,
        info=info,
        openapi_path=None,  # its pages load scripts from other hosts
        conversion_preference="pydantic",
        openapi_provider_class=Document,
    )
    app.register_blueprint(docs)
