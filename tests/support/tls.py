"""Helpers for tests of TLS: certificates, and a man in the middle who hides it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pymysql.constants import CLIENT

from tests.support.listening import aborting, listening

DAY = timedelta(days=1)


@dataclass
class Certified:
    """A certificate and its key, in files."""

    cert: str
    key: str
    signed: x509.Certificate
    private: ec.EllipticCurvePrivateKey


def certify(folder: Path, name: str, by: Certified | None = None, *, host: str = "") -> Certified:
    """Make a certificate, of an authority where nobody has signed it."""
    private, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(
        issuer_name=by.signed.subject if by else subject,
        subject_name=subject,
        public_key=private.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - DAY,
        not_valid_after=now + DAY,
    ).add_extension(x509.BasicConstraints(ca=not by, path_length=None), critical=True)
    if host:
        names = x509.SubjectAlternativeName([x509.DNSName(host)])
        builder = builder.add_extension(names, critical=False)
    signed = builder.sign(by.private if by else private, hashes.SHA256())
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    cert.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return Certified(str(cert), str(key), signed, private)


@asynccontextmanager
async def hiding_tls(port: int) -> AsyncIterator[int]:
    """Forward to `port`, but with a greeting that offers no TLS, to eavesdrop; yield the port."""

    async def serve(near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        far, there = await asyncio.open_connection("127.0.0.1", port)
        async with aborting(there):
            greeting = bytearray(await far.read(2**16))
            # After the header, a version and NUL: the session, salt, NUL, and 16 capabilities.
            greeting[greeting.index(0, 5) + 15] &= ~(CLIENT.SSL >> 8)
            back.write(greeting)
            await asyncio.gather(copy(near, there), copy(far, back))

    async with listening(serve) as here:
        yield here


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Forward what arrives."""
    with suppress(OSError):
        while packet := await reader.read(2**16):
            writer.write(packet)
    writer.close()
