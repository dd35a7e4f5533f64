"""How a Login encrypts: like MySQL's clients, but with three modes instead of five."""

import ssl
from dataclasses import dataclass
from typing import Any

from throwaway_mysql.errors import ServerError

MODES = ("off", "preferred", "verified")


@dataclass(frozen=True)
class Tls:
    """`off`, `preferred` (if the server offers TLS; its certificate is not checked) or `verified`.

    `verified` takes a file of CA certificates, by default the system's, and optionally a client's
    certificate and key. Raises ServerError for another mode.
    """

    mode: str = "off"
    ca: str = ""
    cert: str = ""
    key: str = ""

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ServerError(f"TLS is {self.mode!r}: it must be one of {', '.join(MODES)}")

    def context(self) -> ssl.SSLContext | None:
        """Return the context of `verified`."""
        if self.mode != "verified":
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca or None)
            # Python 3.13 would refuse the certificates that the servers generate.
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
            if self.cert:
                context.load_cert_chain(self.cert, self.key or None, password="")
        except OSError as error:
            files = ", ".join(filter(None, (self.ca, self.cert, self.key)))
            raise ServerError(f"TLS with {files}: {error}") from None
        return context

    def arguments(self, driver: str = "pymysql") -> dict[str, Any]:
        """Return the TLS arguments of a driver's connect()."""
        if driver == "mysqldb":
            files = {"ca": self.ca, "cert": self.cert, "key": self.key}
            known = {name: path for name, path in files.items() if path}
            verified = {"ssl_mode": "VERIFY_IDENTITY", "ssl": known}
            return verified if self.mode == "verified" else {}
        if context := self.context():
            return {"ssl": context}
        return {"ssl_disabled": True} if driver == "pymysql" and self.mode == "off" else {}

    def query(self, driver: str) -> dict[str, str]:
        """Return the options for an SQLAlchemy URL; only PyMySQL and mysqlclient take any."""
        files = {"ssl_ca": self.ca, "ssl_cert": self.cert, "ssl_key": self.key}
        if self.mode != "verified" or driver not in ("pymysql", "mysqldb"):
            return {}
        known = {name: path for name, path in files.items() if path}
        return known | ({"ssl_mode": "VERIFY_IDENTITY"} if driver == "mysqldb" else {})
