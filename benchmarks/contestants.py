"""What is measured: the app in all its uses, and what it is compared with."""

from dataclasses import dataclass

NAMESPACE = "bench"
ONE = f"/api/v1/counters/{NAMESPACE}/one/hits"
MANY = f"/api/v1/counters/{NAMESPACE}/NUMBER/hits"  # load.lua puts the numbers in

CLIENTS = 64  # of the ratios
GROWTH = 1, 8, 64, 256, 1024

COUNTER = "benchmarks.peers.counter_app:app"
PRODUCTION = "uvicorn with web.http1"  # as Counter is served
BARE = "benchmarks.peers.bare:app"
SQLALCHEMY = "benchmarks.peers.sqlalchemy_update:app"
REDIS = "benchmarks.peers.redis_incr:app"


@dataclass(frozen=True)
class Server:
    """An app that is served to contestants, by so many workers of a server program."""

    app: str
    workers: int = 1
    program: str = "uvicorn"


@dataclass(frozen=True)
class Contestant:
    """Requests of a kind, which is load.lua's, to a server; `title` is for the page."""

    title: str
    server: Server
    path: str = ONE
    kind: str = "hits"
    counts: bool = True  # whether a request is a hit that must be found afterwards

    @property
    def method(self) -> str:
        """The method of its requests."""
        return "GET" if self.kind == "get" else "POST"


CONTESTANTS = {
    "hits": Contestant("Hits on one counter", Server(COUNTER, 1, PRODUCTION)),
    "zipf": Contestant(
        "Hits on 1,000 counters, Zipf 1.1", Server(COUNTER, 1, PRODUCTION), MANY, "zipf"
    ),
    "keys": Contestant("Hits with idempotency keys", Server(COUNTER, 1, PRODUCTION), kind="keys"),
    "pair": Contestant("Hits on one counter, two workers", Server(COUNTER, 2, PRODUCTION)),
    "page": Contestant("The page `/`", Server(COUNTER, 1, PRODUCTION), "/", "get"),
    "static": Contestant(
        "A static page of the same app",
        Server(COUNTER, 1, PRODUCTION),
        "/static-page",
        "get",
        counts=False,
    ),
    "hypercorn": Contestant(
        "Hits on one counter, under hypercorn", Server(COUNTER, 1, "hypercorn")
    ),
    "granian": Contestant("Hits on one counter, under granian", Server(COUNTER, 1, "granian")),
    "bare": Contestant("Bare ASGI app, counts nothing", Server(BARE), counts=False),
    "redis": Contestant("Quart, Redis INCR, fsync always", Server(REDIS)),
    "sqlalchemy": Contestant("Quart, SQLAlchemy, one UPDATE a request", Server(SQLALCHEMY)),
}
GROWING = {"bare": "bare ASGI", "hits": "Counter", "redis": "Redis", "sqlalchemy": "SQLAlchemy"}
