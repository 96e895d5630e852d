"""By what a server of an aggregated API knows that a request comes from this one: a certificate of an own authority.

It believes the headers that say who asks only to whom shows that certificate. The authority signs nothing else, so that
no client's certificate (`signing`) does as well. Extension servers find it in the ConfigMap
`kube-system/extension-apiserver-authentication`, and read it by the Role of a similar name.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import orjson
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fairway.cluster.api.identity import certificates
from fairway.cluster.api.identity.tokens import write_private
from fairway.kernel.feature import Identity
from fairway.kernel.objects.errors import BadRequest
from fairway.kernel.objects.kinds import CONFIG_MAP, ROLE, Object

NAME, NAMESPACE = "extension-apiserver-authentication", "kube-system"
COMMON_NAME = "front-proxy-client"

_FILE = "front-proxy-client"
_USER, _UID, _GROUP, _EXTRA = "X-Remote-User", "X-Remote-Uid", "X-Remote-Group", "X-Remote-Extra-"
_PLAIN = frozenset("!#$&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")
"""What stands for itself in the name of a header."""


@dataclass(frozen=True, slots=True)
class FrontProxy:
    """`client_ca` is the authority of clients' certificates, `ca_pem` that of this one."""

    client_ca: str
    ca_pem: str
    cert: Path
    key: Path

    def prove(self, context: ssl.SSLContext) -> None:
        context.load_cert_chain(self.cert, self.key)

    def published(self) -> Object:
        """The ConfigMap that says how the sender of a request is told, and by whom."""
        data = {
            "client-ca-file": self.client_ca,
            "requestheader-client-ca-file": self.ca_pem,
            "requestheader-allowed-names": _listed(COMMON_NAME),
            "requestheader-username-headers": _listed(_USER),
            "requestheader-uid-headers": _listed(_UID),
            "requestheader-group-headers": _listed(_GROUP),
            "requestheader-extra-headers-prefix": _listed(_EXTRA),
        }
        return CONFIG_MAP.new(NAME, NAMESPACE, data=data)


def ensure(folder: Path, client_ca: str) -> FrontProxy:
    """Make what is missing or near its end, in the folder of the server's own keys."""
    key, issuer = certificates.authority(folder, "front-proxy-ca", "fairway-front-proxy-ca")
    cert, own_key = folder / f"{_FILE}.crt", folder / f"{_FILE}.key"
    if not (own_key.exists() and _still_good(cert, issuer)):
        _make(cert, own_key, key, issuer)
    return FrontProxy(client_ca, issuer.public_bytes(serialization.Encoding.PEM).decode(), cert, own_key)


def reader() -> Object:
    """The Role by which an extension server reads the ConfigMap, once a RoleBinding gives it."""
    rule = {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "resourceNames": [NAME],
        "verbs": ["get", "list", "watch"],
    }
    return ROLE.new(f"{NAME}-reader", NAMESPACE, rules=[rule])


def sender(identity: Identity) -> tuple[tuple[str, str], ...]:
    """The headers that say who asks. Raises BadRequest for a name that no header can hold."""
    found = [(_USER, identity.user)]
    if identity.uid:
        found.append((_UID, identity.uid))
    found += [(_GROUP, group) for group in identity.groups]
    found += [(_EXTRA + _escaped(name), value) for name, values in identity.extra for value in values]
    if any(not value.isprintable() for _, value in found):  # a certificate may hold any character
        raise BadRequest("the name of the sender, or of one of its groups, has characters that no header can hold")
    return tuple(found)


def _escaped(name: str) -> str:
    """Names of headers have no capitals and hold few characters: the others are percent-encoded, as upstream's are.

    >>> _escaped("example.com/Pod")
    'example.com%2fpod'
    """
    return "".join(letter if letter in _PLAIN else _percent(letter) for letter in name.lower())


def _percent(letter: str) -> str:
    return "".join(f"%{byte:02x}" for byte in letter.encode())


def _listed(word: str) -> str:
    return orjson.dumps([word]).decode()


def _still_good(cert: Path, issuer: x509.Certificate) -> bool:
    if not cert.exists():
        return False
    found = x509.load_pem_x509_certificate(cert.read_bytes())
    return found.issuer == issuer.subject and not certificates.near_its_end(found)


def _make(cert: Path, key: Path, authority: ec.EllipticCurvePrivateKey, issuer: x509.Certificate) -> None:
    made = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, COMMON_NAME)])
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    signed = (
        certificates.builder_of(subject, issuer.subject, made.public_key(), certificates.DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False)
        .sign(authority, hashes.SHA256())
    )
    write_private(key, certificates.pem(made))
    write_private(cert, signed.public_bytes(serialization.Encoding.PEM))
