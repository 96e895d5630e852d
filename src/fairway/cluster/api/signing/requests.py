"""What is wrong with a CertificateSigningRequest, in upstream's words; how one is shown. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator

from cryptography import x509
from cryptography.x509.oid import NameOID

from fairway.cluster.api.checks import causes
from fairway.cluster.api.printing import durations
from fairway.cluster.api.printing.columns import AGE, NAME, NONE, Column, at, value
from fairway.kernel.objects.errors import Cause
from fairway.kernel.objects.kinds import Object

CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client"
"""The one signer of this server: for clients of the API."""

_SHORTEST = 600
_TYPE = "-----BEGIN CERTIFICATE REQUEST-----"


def problems(obj: Object) -> Iterator[Cause]:
    spec = obj.get("spec") or {}
    try:
        parsed(spec)
    except ValueError as problem:
        yield causes.invalid("spec.request", spec.get("request"), str(problem))
    if not spec.get("usages"):
        yield causes.required("spec.usages", "usages must be provided")
    signer = str(spec.get("signerName") or "")
    domain, slash, path = signer.partition("/")
    if not signer:
        yield causes.required("spec.signerName")
    elif not slash or not path or "." not in domain:
        text = 'must be a fully qualified domain and path of the form "example.com/signer-name"'
        yield causes.invalid("spec.signerName", signer, text)
    seconds = spec.get("expirationSeconds")
    if seconds is not None and seconds < _SHORTEST:
        text = "may not specify a duration less than 600 seconds (10 minutes)"
        yield causes.invalid("spec.expirationSeconds", seconds, text)


def parsed(spec: Object) -> x509.CertificateSigningRequest:
    """The request itself. Raises ValueError with what is wrong with it."""
    try:
        text = base64.b64decode(str(spec.get("request") or ""), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("it is not base64") from None
    if _TYPE.encode() not in text:
        raise ValueError("PEM block type must be CERTIFICATE REQUEST")
    try:
        found = x509.load_pem_x509_csr(text)
        if not found.is_signature_valid:
            raise ValueError("its signature is not its key's")
    except Exception as problem:  # the library has many ways to say that it cannot read something
        raise ValueError(f"unable to parse the certificate request: {problem}") from None
    return found


def organizations(request: x509.CertificateSigningRequest) -> list[str]:
    """The groups that the certificate would give."""
    return [str(each.value) for each in request.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]


def _duration(obj: Object, now: float) -> str:
    seconds = value(obj, "spec.expirationSeconds")
    return durations.text(seconds) if seconds is not None else NONE


def _condition(obj: Object, now: float) -> str:
    types = {str(each.get("type")) for each in value(obj, "status.conditions") or ()}
    words = ["Denied"] if "Denied" in types else ["Approved"] if "Approved" in types else ["Pending"]
    words += ["Failed"] if "Failed" in types else []
    return ",".join([*words, *(["Issued"] if value(obj, "status.certificate") else [])])


COLUMNS = (
    NAME,
    AGE,
    Column("SignerName", at("spec.signerName")),
    Column("Requestor", at("spec.username")),
    Column("RequestedDuration", _duration),
    Column("Condition", _condition),
)
