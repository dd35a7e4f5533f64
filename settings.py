"""The settings, read once from the environment, and else from `.env` and `.quartenv`.

A bad value ends the program with one line that names the variable and its valid values.
"""

import ipaddress
import os
from pathlib import Path

from dotfiles import load, read_by_quart_alone

_folder = Path(__file__).parent
_problems = load(_folder)
if _problems:
    raise SystemExit("\n".join(_problems))


def _text(name: str, default: str | None = None) -> str:
    """Read a text; without a default, it must be set and not be empty."""
    value = os.environ.get(name, default)
    if not value and default is None:
        state = "not set" if value is None else "empty"
        _problems.append(f"{name} is {state}: give it a value in the environment or in .env")
    elif value and value != value.encode(errors="ignore").decode():
        _problems.append(f"{name} has bytes that are not UTF-8: it must be a text in UTF-8")
    return value or ""


def _integer(name: str, default: int, low: int, high: int) -> int:
    """Read a whole number from `low` to `high`."""
    value = os.environ.get(name, "") or str(default)
    if value.isascii() and value.isdecimal() and len(value) < 10 and low <= int(value) <= high:
        return int(value)
    _problems.append(f"{name} is {value!r}: it must be a whole number from {low} to {high}")
    return default


def _choice(name: str, *choices: str) -> str:
    """Read one of `choices`; the first is the default."""
    value = os.environ.get(name, "") or choices[0]
    if value not in choices:
        _problems.append(f"{name} is {value!r}: it must be one of {', '.join(choices)}")
    return value


def _is_loopback(host: str) -> bool:
    """Tell whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


QUART_ENV = _choice("QUART_ENV", "production", "development")
SECRET_KEY = _text("SECRET_KEY")
DB_HOST = _text("DB_HOST")
DB_PORT = _integer("DB_PORT", 3306, 1, 65535)
DB_USERNAME = _text("DB_USERNAME")
DB_PASSWORD = _text("DB_PASSWORD", default="")
DATABASE_NAME = _text("DATABASE_NAME")
DB_TLS_CA = _text("DB_TLS_CA", default="")  # files
DB_TLS_CERT = _text("DB_TLS_CERT", default="")
DB_TLS_KEY = _text("DB_TLS_KEY", default="")
_needs_no_tls = _is_loopback(DB_HOST) and not (DB_TLS_CA or DB_TLS_CERT or DB_TLS_KEY)
DB_TLS = _choice(
    "DB_TLS", *(("off", "verified") if _needs_no_tls else ("verified", "off")), "preferred"
)
if DB_TLS != "verified" and (DB_TLS_CA or DB_TLS_CERT or DB_TLS_KEY):
    _problems.append(
        f"DB_TLS is {DB_TLS!r}, which verifies nothing: DB_TLS_CA, DB_TLS_CERT and DB_TLS_KEY need"
        " verified"
    )
MYSQL_ROOT_PASSWORD = _text("MYSQL_ROOT_PASSWORD", default="")
MYSQLD = _text("MYSQLD", default="")
DB_POOL_SIZE = _integer("DB_POOL_SIZE", 10, 1, 1000)
DB_WAIT = _integer("DB_WAIT", 30, 0, 3600)  # seconds, at start-up
DB_TIMEOUT = _integer("DB_TIMEOUT", 4, 1, 3600)  # seconds, of a request
HIT_TIMEOUT = _integer("HIT_TIMEOUT", 7, 1, 3600)  # seconds, of hits through the API

_problems += read_by_quart_alone(_folder, [name for name in globals() if name.isupper()])
if _problems:
    raise SystemExit("\n".join(_problems))
