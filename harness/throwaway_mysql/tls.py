"""How a Login encrypts: as MySQL's clients have it, but with three modes of its five."""

import ssl
from dataclasses import dataclass
from typing import Any

from throwaway_mysql.errors import ServerError

MODES = ("off", "preferred", "verified")


@dataclass(frozen=True)
class Tls:
    """`off`; `preferred`, where the server offers it, whoever that is; or `verified`.

    The last takes a file of certificates of authorities, by default the system's, and one
    with a client's certificate and its key. Raises ServerError for another mode.
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
            # Python 3.13 would refuse certificates as the servers make them.
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
            if self.cert:
                context.load_cert_chain(self.cert, self.key or None, password="")
        except OSError as error:
            files = ", ".join(filter(None, (self.ca, self.cert, self.key)))
            raise ServerError(f"TLS with {files}: {error}") from None
        return context

    def arguments(self, driver: str = "pymysql") -> dict[str, Any]:
        """Return what a driver's connect() takes; only PyMySQL knows `preferred`."""
        if driver == "mysqldb":
            files = {"ca": self.ca, "cert": self.cert, "key": self.key}
            known = {name: path for name, path in files.items() if path}
            verified = {"ssl_mode": "VERIFY_IDENTITY", "ssl": known}
            return verified if self.mode == "verified" else {}
        if context := self.context():
            return {"ssl": context}
        return {"ssl_disabled": True} if driver == "pymysql" and self.mode == "off" else {}

    def query(self, driver: str) -> dict[str, str]:
        """Return what a URL of SQLAlchemy's can say of it to a driver: not all, nor to all."""
        files = {"ssl_ca": self.ca, "ssl_cert": self.cert, "ssl_key": self.key}
        if self.mode != "verified" or driver not in ("pymysql", "mysqldb"):
            return {}
        known = {name: path for name, path in files.items() if path}
        return known | ({"ssl_mode": "VERIFY_IDENTITY"} if driver == "mysqldb" else {})
