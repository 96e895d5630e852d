"""Signs certificates of clients with the authority that `certificates` made, for those whose request was approved."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fairway.cluster.api.identity import certificates
from fairway.cluster.api.identity.tokens import MASTERS
from fairway.cluster.api.signing import requests
from fairway.kernel.objects.kinds import Object

Sign = Callable[[Object], str]
"""From the spec of an approved request to the certificate, as base64 of PEM. Raises ValueError with what is wrong."""

_LONGEST = timedelta(days=365)
_ALLOWED = ("digital signature", "key encipherment", "client auth")


def signer(folder: Path) -> Sign:
    """`folder` is where the authority's key lies."""

    def sign(spec: Object) -> str:
        request = requests.parsed(spec)
        _check(request, spec.get("usages") or ())
        key, authority = certificates.authority(folder)
        now = datetime.now(UTC)
        lasting = min(timedelta(seconds=spec.get("expirationSeconds") or _LONGEST.total_seconds()), _LONGEST)
        made = (
            x509.CertificateBuilder()
            .subject_name(request.subject)
            .issuer_name(authority.subject)
            .public_key(request.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(min(now + lasting, authority.not_valid_after_utc))
            .add_extension(_usage(spec["usages"]), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        return base64.b64encode(made.public_bytes(serialization.Encoding.PEM)).decode()

    return sign


def _check(request: x509.CertificateSigningRequest, usages: Sequence[str]) -> None:
    wrong = sorted(set(usages) - set(_ALLOWED))
    if wrong or "client auth" not in usages:
        raise ValueError(f"usages of a client's certificate are {', '.join(_ALLOWED)}, and the last is needed")
    if not request.subject.get_attributes_for_oid(NameOID.COMMON_NAME):
        raise ValueError("the subject has no common name: it is the name of the user")
    if MASTERS in requests.organizations(request):
        raise ValueError(f"nobody gets the group {MASTERS} by a signature")


def _usage(usages: Sequence[str]) -> x509.KeyUsage:
    signature, encipherment = "digital signature" in usages, "key encipherment" in usages
    # A client proves by a signature that the key is its own, whatever else was asked for.
    return x509.KeyUsage(signature or not encipherment, False, encipherment, False, False, False, False, False, False)
