"""TLS to the database, by the settings DB_TLS, DB_TLS_CA, DB_TLS_CERT and DB_TLS_KEY."""

import ssl
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

FILES = ("DB_TLS_CA", "DB_TLS_CERT", "DB_TLS_KEY")


def context(config: Mapping[str, Any]) -> ssl.SSLContext | None:
    """Return the configured context, or None if DB_TLS is `off`.

    For `preferred`, it verifies nothing. Ends the program with a line that names the setting whose
    file cannot be used.
    """
    if config["DB_TLS"] == "off":
        return None
    if config["DB_TLS"] == "verified":
        return _verifying(*(config[name] for name in FILES))
    return _trusting()


def arguments(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return PyMySQL's arguments; for `preferred` none, as that is its default."""
    if config["DB_TLS"] == "preferred":
        return {}
    tls = context(config)
    return {"ssl": tls} if tls else {"ssl_disabled": True}


@cache  # a context takes longer to make than a connection
def _verifying(ca: str, cert: str, key: str) -> ssl.SSLContext:
    for name, path in zip(FILES, (ca, cert, key), strict=True):
        _check_readable(name, path)
    try:
        made = ssl.create_default_context(cafile=ca or None)
    except ssl.SSLError:
        raise SystemExit(f"DB_TLS_CA is {ca!r}: it must hold certificates, in PEM") from None
    # Python 3.13 would refuse the certificates that servers generate and cloud providers use.
    made.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if key and not cert:
        raise SystemExit(f"DB_TLS_KEY is {key!r}: it needs a certificate, DB_TLS_CERT")
    try:
        if cert:
            made.load_cert_chain(cert, key or None, password="")  # or OpenSSL prompts
    except ssl.SSLError as error:
        unfit = error.reason == "KEY_VALUES_MISMATCH"
        must = "belong together" if unfit else "hold a key without a passphrase and its certificate"
        raise SystemExit(
            f"DB_TLS_KEY is {key!r} and DB_TLS_CERT {cert!r}: they must {must}"
        ) from None
    return made


@cache
def _trusting() -> ssl.SSLContext:
    made = ssl.create_default_context()
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


def _check_readable(name: str, path: str) -> None:
    try:
        if path:
            Path(path).open("rb").close()
    except OSError as error:
        raise SystemExit(f"{name} is {path!r}: it cannot be read ({error.strerror})") from None
