"""TLS: a certificate authority made at first start, and a serving certificate that it signs.

Clients may show a certificate of the same authority (`signing`), which says who they are.
The authority's certificate is what clients trust; it stays. The serving certificate is made again when it
nears its end or when the names it must carry have changed.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fairway.cluster.api.identity.tokens import write_private

ALWAYS = (
    "localhost",
    "127.0.0.1",
    "::1",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)

_AUTHORITY_DAYS = 3650
DAYS = 365
_RENEWED_BEFORE_DAYS = 30


@dataclass(frozen=True, slots=True)
class Files:
    """`ca_pem` is the authority's certificate as text; the others are where the server's own lie."""

    ca_pem: str
    cert: Path
    key: Path


def ensure(folder: Path, hosts: Iterable[str] = ()) -> Files:
    """Make what is missing or near its end. `hosts` are names and addresses besides those in ALWAYS."""
    authority_key, issuer = authority(folder)
    names = tuple(sorted({*ALWAYS, *filter(None, hosts)}))
    cert, key = folder / "serving.crt", folder / "serving.key"
    if not (key.exists() and _still_good(cert, issuer, names)):
        _make_serving(cert, key, authority_key, issuer, names)
    return Files(issuer.public_bytes(serialization.Encoding.PEM).decode(), cert, key)


def server_context(files: Files) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(files.cert, files.key)
    # Who shows a certificate shows one of ours; who shows none has a token.
    context.load_verify_locations(cadata=files.ca_pem)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


def authority(
    folder: Path, file: str = "ca", common_name: str = "fairway-ca"
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """The authority's key and certificate, made where they are missing. `file` is for another one than the server's."""
    cert, key = folder / f"{file}.crt", folder / f"{file}.key"
    if not (cert.exists() and key.exists()):
        made = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        builder = builder_of(name, name, made.public_key(), _AUTHORITY_DAYS)
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        signed = (
            builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(made.public_key()), critical=False)
            .sign(made, hashes.SHA256())
        )
        write_private(key, pem(made))
        write_private(cert, signed.public_bytes(serialization.Encoding.PEM))
    loaded = serialization.load_pem_private_key(key.read_bytes(), None)
    if not isinstance(loaded, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{key} is not an elliptic curve key: move {folder} away and a new authority is made")
    return loaded, x509.load_pem_x509_certificate(cert.read_bytes())


def _still_good(cert: Path, authority: x509.Certificate, names: tuple[str, ...]) -> bool:
    if not cert.exists():
        return False
    found = x509.load_pem_x509_certificate(cert.read_bytes())
    if near_its_end(found):
        return False
    present = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return found.issuer == authority.subject and set(present) == set(_alternatives(names))


def near_its_end(certificate: x509.Certificate) -> bool:
    return certificate.not_valid_after_utc - datetime.now(UTC) < timedelta(days=_RENEWED_BEFORE_DAYS)


def _make_serving(
    cert: Path,
    key: Path,
    authority_key: ec.EllipticCurvePrivateKey,
    authority: x509.Certificate,
    names: tuple[str, ...],
) -> None:
    made = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fairway-api")])
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    signed = (
        builder_of(subject, authority.subject, made.public_key(), DAYS)
        .add_extension(x509.SubjectAlternativeName(_alternatives(names)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    write_private(key, pem(made))
    write_private(cert, signed.public_bytes(serialization.Encoding.PEM))


def builder_of(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=days))
    )


def _alternatives(names: Iterable[str]) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = []
    for name in names:
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(name))
    return found


def pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
