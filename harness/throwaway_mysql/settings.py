"""The settings of a database connection, as an application reads them."""

from dataclasses import astuple
from typing import Any, Self

from throwaway_mysql.login import Login
from throwaway_mysql.tls import Tls

TLS = ("DB_TLS", "DB_TLS_CA", "DB_TLS_CERT", "DB_TLS_KEY")
NAMES = ("DB_HOST", "DB_PORT", "DB_SOCKET", "DB_USERNAME", "DB_PASSWORD", "DATABASE_NAME", *TLS)
SECRET = {"DB_PASSWORD", "DB_URI"}


class Database(dict[str, Any]):
    """The settings of a connection to a database: `NAMES`, and DB_URI, the server's URL.

    DB_SOCKET is a path, or empty if the port is to be used; DB_TLS is `off`, `preferred` or
    `verified`; DB_TLS_CA, DB_TLS_CERT and DB_TLS_KEY are paths or empty.
    """

    @classmethod
    def of(cls, login: Login, name: str) -> Self:
        """Return the settings of a database on a server."""
        return cls(
            DB_HOST=login.host,
            DB_PORT=login.port,
            DB_SOCKET=login.unix_socket or "",
            DB_USERNAME=login.user,
            DB_PASSWORD=login.password,
            DATABASE_NAME=name,
            DB_URI=login.url("pymysql"),
            **dict(zip(TLS, astuple(login.encryption), strict=True)),
        )

    def __repr__(self) -> str:
        return repr({name: "***" if name in SECRET else self[name] for name in self})

    def __or__(self, other: Any, /) -> Self:  # type: ignore[override]  # its names are str
        return type(self)({**self, **other}) if isinstance(other, dict) else NotImplemented

    def __ror__(self, other: Any, /) -> Self:  # type: ignore[override]  # its names are str
        return type(self)({**other, **self}) if isinstance(other, dict) else NotImplemented

    @property
    def name(self) -> str:
        """The database's name."""
        return str(self["DATABASE_NAME"])

    @property
    def login(self) -> Login:
        """The account that the settings describe."""
        return Login(
            self["DB_HOST"],
            self["DB_PORT"],
            self["DB_USERNAME"],
            self["DB_PASSWORD"],
            unix_socket=self.get("DB_SOCKET") or None,
            tls=Tls(*(self.get(name, "") for name in TLS)) if self.get("DB_TLS") else None,
        )

    def url(self, driver: str = "") -> str:
        """Return the database's URL, with the password: `mysql://...`, or SQLAlchemy's."""
        return self.login.url(driver or "mysql", self.name)

    def environ(self) -> dict[str, str]:
        """Return the settings as environment variables."""
        return {name: str(self[name]) for name in NAMES}
